# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Instances drawn on the image, as an image of instance numbers, and as an image of colours.

Pixels are computed from run lengths on the device that the caller names, with equal bits on CPU and GPU; texts by OpenCV.
"""

import math
import warnings
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from fcis_ros import ops, rle
from fcis_ros.errors import InputError
from fcis_ros.structures import Instances

FONT, MARGIN = cv2.FONT_HERSHEY_SIMPLEX, 2
PARTS = ("class", "score", "id")
COLOURS = ("class", "id")
# Okabe and Ito (2008): distinguishable without red-green vision; colours that are visible on asphalt come first.
PALETTE = ((86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167), (0, 114, 178))
GREY = (150, 150, 150)
CPU = torch.device("cpu")
SHADES = (1.0, 0.75, 1.35)  # brightness of the palette in its first, second and third use


@dataclass(frozen=True)
class OverlayStyle:
    """Style of drawn instances.

    Attributes:
        fill: opacity of the masks, 0..1.
        contour: thickness of the outline, 1..20 pixels of an image whose shorter side is 1080; scaled with it, at least 1.
        text: parts of each instance's text: ``class``, ``score`` and ``id`` (of a tracked one), in this order.
        colours: ``class``, or ``id`` for a colour per track; untracked instances have the colour of their class.
    """

    fill: float = 0.5
    contour: int = 3
    text: tuple[str, ...] = PARTS
    colours: str = "class"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.fill) and 0 <= self.fill <= 1):
            raise InputError(f"overlay fill {self.fill}: must lie in 0..1")
        if not 1 <= self.contour <= 20:
            raise InputError(f"overlay contour {self.contour}: must lie in 1..20")
        unknown = [part for part in self.text if part not in PARTS]
        if unknown or len(set(self.text)) < len(self.text):
            raise InputError(f"overlay text {', '.join(self.text)}: each of {', '.join(PARTS)} at most once")
        if self.colours not in COLOURS:
            raise InputError(f"overlay colours {self.colours!r}: expected {' or '.join(COLOURS)}")


def colour(number: int) -> tuple[int, int, int]:
    """Returns RGB of a class or track, counted from 1: equal in every run, neighbours distinct, repeated after 21; 0: grey."""
    if number == 0:
        return GREY
    shade, index = divmod(number - 1, len(PALETTE))
    red, green, blue = (min(round(value * SHADES[shade % len(SHADES)]), 255) for value in PALETTE[index])
    return red, green, blue


def draw(
    image: np.ndarray,
    instances: Instances,
    style: OverlayStyle | None = None,
    ids: np.ndarray | None = None,
    device: torch.device = CPU,
) -> np.ndarray:
    """Blends every mask over the image, outlines its visible part and labels it.

    Args:
        image: [H, W, 3] uint8, RGB; not modified.
        instances: instances of this image; where masks overlap the best is on top.
        style: style of the drawing; by default fill, contour and all text.
        ids: [N] track ids, 0 for none; None without tracking.
        device: device that computes.

    Returns:
        [H, W, 3] uint8, RGB.
    """
    style = style or OverlayStyle()
    ids = np.zeros(len(instances), np.uint32) if ids is None else ids
    tints = [
        colour(int(track_id if style.colours == "id" and track_id else label))
        for track_id, label in zip(ids, instances.labels, strict=True)
    ]
    labels = _label_map(instances, device)
    size = min(image.shape[:2]) / 1080
    drawn = _paint(image, labels, tints, style.fill, max(round(style.contour * size), 1))
    if style.text:
        texts = [_text(instances, index, int(track_id), style.text) for index, track_id in enumerate(ids)]
        _write(drawn, texts, instances.boxes.tolist(), tints, min(max(0.85 * size, 0.35), 1.5))
    return drawn


def label_map(instances: Instances, device: torch.device = CPU) -> np.ndarray:
    """Returns [H, W] uint16: at every pixel the number of its best instance, counted from 1; 0 for background."""
    return _on_host(_label_map(instances, device))


def colour_labels(instances: Instances, ids: np.ndarray | None = None, device: torch.device = CPU) -> np.ndarray:
    """Colours the label map.

    Args:
        instances: instances of one image.
        ids: [N] track ids, 0 for none; None without tracking.
        device: device that computes.

    Returns:
        [H, W, 3] uint8, RGB: a colour per track, grey for untracked instances; without ``ids`` a colour per instance. The
        background is black.
    """
    numbers = np.arange(1, len(instances) + 1) if ids is None else ids
    black = np.zeros((instances.height, instances.width, 3), np.uint8)
    return _paint(black, _label_map(instances, device), [colour(int(number)) for number in numbers], 1.0, 0)


def _label_map(instances: Instances, device: torch.device) -> Tensor:
    arrays = (np.ascontiguousarray(instances.boxes, dtype=np.int32), *rle.joined(instances.runs))
    boxes, runs, ends = (torch.from_numpy(array).to(device) for array in arrays)
    return ops.label_map(boxes, runs, ends, instances.height, instances.width)


def _paint(image: np.ndarray, labels: Tensor, tints: list[tuple[int, int, int]], fill: float, thickness: int) -> np.ndarray:
    colours = torch.tensor(tints, dtype=torch.uint8, device=labels.device).reshape(-1, 3)
    with warnings.catch_warnings():  # the view of a message is read-only, and only read
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        pixels = torch.from_numpy(np.ascontiguousarray(image)).to(labels.device)
    return _on_host(ops.paint(pixels, labels, colours, fill, thickness))


def _on_host(picture: Tensor) -> np.ndarray:
    """Copies a picture to the host; from a GPU into pinned memory, which the device writes directly."""
    if picture.device.type == "cpu":
        return picture.numpy()
    return torch.empty(picture.shape, dtype=picture.dtype, pin_memory=True).copy_(picture).numpy()


def _text(instances: Instances, index: int, track_id: int, parts: tuple[str, ...]) -> str:
    words = {
        "class": instances.class_names[instances.labels[index] - 1],
        "score": f"{instances.scores[index]:.2f}",
        "id": f"#{track_id}" if track_id else "",
    }
    return " ".join(words[part] for part in parts if words[part])


def _write(drawn: np.ndarray, texts: list[str], boxes: list[list[int]], tints: list[tuple], size: float) -> None:
    """Draws each text on a plate of its instance's colour, inside the image; the best instances are placed first."""
    stroke = 2 if size > 0.6 else 1
    height, width = drawn.shape[:2]
    sizes = [cv2.getTextSize(text, FONT, size, stroke) for text in texts]
    plates: list[tuple[int, int, int, int]] = []
    for ((wide, high), below), (x1, y1, _, y2) in zip(sizes, boxes, strict=True):
        wide, high = wide + 2 * MARGIN, high + below + 2 * MARGIN
        left = max(0, min(x1, width - wide))
        # Above the box, in it at the top, below it, in it at the bottom, farther off.
        candidates = (y1 - high, y1, y2, y2 - high, y1 - 2 * high, y2 + high)
        tops = [max(0, min(top, height - high)) for top in candidates]
        plates.append(_freest([(left, top, left + wide, top + high) for top in tops], plates))
    for text, (_, below), plate, tint in reversed(list(zip(texts, sizes, plates, tints, strict=True))):
        if not text:
            continue
        left, top, right, bottom = plate
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), tint, -1)
        ink = (0, 0, 0) if np.dot(tint, (0.299, 0.587, 0.114)) > 110 else (255, 255, 255)
        cv2.putText(drawn, text, (left + MARGIN, bottom - MARGIN - below), FONT, size, ink, stroke, cv2.LINE_AA)


def _freest(plates: list[tuple[int, int, int, int]], others: list[tuple[int, int, int, int]]) -> tuple[int, int, int, int]:
    """Returns the first plate that no other covers, or else the first of the least covered ones."""
    covered = []
    for plate in plates:
        covered.append(_covered(plate, others))
        if not covered[-1]:  # mostly the first one: stopping here halves the time for all texts
            return plate
    return plates[covered.index(min(covered))]


def _covered(plate: tuple[int, int, int, int], others: list[tuple[int, int, int, int]]) -> int:
    """Returns the number of a plate's pixels that others cover."""
    return sum(
        max(min(plate[2], other[2]) - max(plate[0], other[0]), 0) * max(min(plate[3], other[3]) - max(plate[1], other[1]), 0)
        for other in others
    )
