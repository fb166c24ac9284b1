"""Instances drawn on the image, and as an image of instance numbers."""

import colorsys
import warnings

import cv2
import numpy as np
import torch
from torch import Tensor

from fcis_ros import ops
from fcis_ros.structures import Instances

FONT, MARGIN = cv2.FONT_HERSHEY_SIMPLEX, 2


def colour(label: int, number: int) -> tuple[int, int, int]:
    """RGB of an instance: a hue for its class, varied a little from one instance to the next; the same in every run."""
    hue = (0.58 + (label - 1) * 0.381966) % 1  # golden-ratio steps keep neighbouring classes far apart
    hue += 0.05 * ((number * 0.618034) % 1 - 0.5)
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw(image: np.ndarray, instances: Instances, alpha: float = 0.5) -> np.ndarray:
    """Blends every mask over the image, outlines what is visible of it and writes class and score above it.

    Args:
        image: [H, W, 3] uint8, RGB; left as it is.
        instances: of this image; where masks overlap the best is on top.
        alpha: opacity of the masks, 0..1.

    Returns:
        [H, W, 3] uint8, RGB.
    """
    tints = [colour(int(label), number) for number, label in enumerate(instances.labels)]
    colours = torch.tensor(tints, dtype=torch.uint8).reshape(-1, 3)
    with warnings.catch_warnings():  # a view of a message cannot be written, and is not
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        drawn = ops.paint(torch.from_numpy(np.ascontiguousarray(image)), _label_map(instances), colours, alpha).numpy()
    size = min(max(min(image.shape[:2]) / 1000, 0.35), 1.0)
    for index in reversed(range(len(instances))):
        text = f"{instances.class_names[instances.labels[index] - 1]} {instances.scores[index]:.2f}"
        _write(drawn, text, instances.boxes[index], tints[index], size)
    return drawn


def _write(drawn: np.ndarray, text: str, box: np.ndarray, tint: tuple[int, int, int], size: float) -> None:
    """Text on a plate of the instance's colour, above its box where there is room and always inside the image."""
    (width, height), below = cv2.getTextSize(text, FONT, size, 1)
    plate = height + below + 2 * MARGIN
    left = max(0, min(int(box[0]), drawn.shape[1] - width - 2 * MARGIN))
    top = max(0, min(int(box[1]) - plate, drawn.shape[0] - plate))
    cv2.rectangle(drawn, (left, top), (left + width + 2 * MARGIN - 1, top + plate - 1), tint, -1)
    cv2.putText(drawn, text, (left + MARGIN, top + MARGIN + height), FONT, size, (0, 0, 0), 1, cv2.LINE_AA)


def label_map(instances: Instances) -> np.ndarray:
    """[H, W] uint16: at every pixel the number of the best instance there, counted from 1; 0 where there is none."""
    return _label_map(instances).numpy()


def _label_map(instances: Instances) -> Tensor:
    runs = np.concatenate([np.zeros(0, np.uint32), *instances.runs]).astype(np.int32)
    ends = np.cumsum([len(own) for own in instances.runs], dtype=np.int32)
    boxes = torch.from_numpy(np.ascontiguousarray(instances.boxes, dtype=np.int32))
    return ops.label_map(boxes, torch.from_numpy(runs), torch.from_numpy(ends), instances.height, instances.width)
