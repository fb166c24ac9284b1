# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Definition of voting and pictures in plain PyTorch, NumPy and OpenCV."""

import cv2
import numpy as np
import torch
from torch import Tensor

from fcis_ros import rle


def vote_masks(
    boxes: Tensor, masks: Tensor, index: Tensor, weights: Tensor, height: int, width: int, threshold: float,
    binarise_first: bool, resample: int, capacity: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Defines ``ops.vote_masks``: masks rendered over their boxes by OpenCV, added up with their weights, thresholded."""
    tight_boxes, runs, ends = [], [], []
    for picks, weight in zip(index.numpy(), weights.numpy(), strict=True):
        voters, box, lengths = np.flatnonzero(picks >= 0), (0, 0, 0, 0), np.zeros(0, np.uint32)
        if len(voters):
            votes, corner = vote_map(
                boxes.numpy()[voters], masks.numpy()[picks[voters]], weight[voters], height, width, threshold, binarise_first
            )
            box, lengths = _tight(votes, corner, height, width, threshold, resample) or (box, lengths)
        tight_boxes.append(box)
        runs.append(lengths.astype(np.int32))
        ends.append(sum(map(len, runs)))
    if capacity is not None:
        runs = [part for part, end in zip(runs, ends, strict=True) if end <= capacity]
        runs.append(np.zeros(capacity - sum(map(len, runs)), np.int32))
    return (
        torch.tensor(tight_boxes, dtype=torch.int32).reshape(-1, 4),
        torch.from_numpy(np.concatenate([np.zeros(0, np.int32), *runs])),
        torch.tensor(ends, dtype=torch.int32),
    )


def vote_map(
    boxes: np.ndarray, masks: np.ndarray, weights: np.ndarray, height: int, width: int, threshold: float, binarise_first: bool
) -> tuple[np.ndarray, tuple[int, int]]:
    """Computes the vote map of one instance over the union of its voters' boxes.

    Returns:
        [h', w'] float32 sums of weighted masks, and the map's top left corner (x, y) in the image.

    Raises:
        ValueError: a box is not inside the image.
    """
    x1, y1 = (int(v) for v in boxes[:, :2].min(axis=0))
    x2, y2 = (int(v) for v in boxes[:, 2:].max(axis=0))
    if x1 < 0 or y1 < 0 or x2 >= width or y2 >= height:
        raise ValueError(f"boxes: ({x1}, {y1}, {x2}, {y2}) is not inside the {width}x{height} image")
    votes = np.zeros((y2 - y1 + 1, x2 - x1 + 1), dtype=np.float32)
    for (left, top, right, bottom), mask, weight in zip(boxes.astype(int), masks, weights, strict=True):
        # INTER_LINEAR is half-pixel bilinear sampling with edge clamp, without smoothing when it shrinks.
        rendered = cv2.resize(mask, (right - left + 1, bottom - top + 1), interpolation=cv2.INTER_LINEAR)
        if binarise_first:
            rendered = (rendered >= np.float32(threshold)).astype(np.float32)
        votes[top - y1 : bottom - y1 + 1, left - x1 : right - x1 + 1] += np.float32(weight) * rendered
    return votes, (x1, y1)


def _tight(
    votes: np.ndarray, corner: tuple[int, int], height: int, width: int, threshold: float, resample: int
) -> tuple[tuple[int, int, int, int], np.ndarray] | None:
    """Returns the tight half-open box of the mask and its run lengths; None when no pixel gets enough votes."""
    mask = votes >= np.float32(threshold)
    if not mask.any():
        return None
    (x1, y1, x2, y2), runs = rle.encode_tight(mask)
    if resample:
        if x2 - x1 < 2 or y2 - y1 < 2:
            return None
        small = sample(votes, corner, np.array([x1, y1, x2 - 1, y2 - 1]) + np.tile(corner, 2), resample, height, width)
        mask = cv2.resize(small, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR) >= np.float32(threshold)
        if not mask.any():
            return None
        (left, top, right, bottom), runs = rle.encode_tight(mask)
        x1, y1, x2, y2 = x1 + left, y1 + top, x1 + right, y1 + bottom
    return (corner[0] + x1, corner[1] + y1, corner[0] + x2, corner[1] + y2), runs


def sample(votes: np.ndarray, corner: tuple[int, int], box: np.ndarray, size: int, height: int, width: int) -> np.ndarray:
    """Returns [size, size] bilinear samples of a vote map over a box of its image, at the centres of equal parts.

    Around the map votes are 0; past the edge of the image they are those of the edge.
    """

    def along(low: int, high: int, start: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        positions = low + (np.arange(size) + 0.5) * ((high - low + 1) / size) - 0.5
        positions = positions.clip(0, length - 1)
        first = np.floor(positions).astype(int)
        return first - start + 1, (positions - first).astype(np.float32)

    padded = np.pad(votes, ((1, 2), (1, 2)))
    (row, down), (column, right) = along(box[1], box[3], corner[1], height), along(box[0], box[2], corner[0], width)
    row, down, column, right = row[:, None], down[:, None], column[None], right[None]
    upper = padded[row, column] * (1 - right) + padded[row, column + 1] * right
    lower = padded[row + 1, column] * (1 - right) + padded[row + 1, column + 1] * right
    return upper * (1 - down) + lower * down


def label_map(boxes: Tensor, runs: Tensor, ends: Tensor, height: int, width: int) -> Tensor:
    """Defines ``ops.label_map``: instances are drawn from the worst to the best."""
    labels = np.zeros((height, width), dtype=np.uint16)
    starts = [0, *ends.tolist()]
    for number in reversed(range(len(boxes))):
        x1, y1, x2, y2 = boxes[number].tolist()
        mask = rle.decode(runs[starts[number] : starts[number + 1]].numpy(), y2 - y1, x2 - x1)
        labels[y1:y2, x1:x2][mask] = number + 1
    return torch.from_numpy(labels)


def paint(image: Tensor, labels: Tensor, colours: Tensor, alpha: float, thickness: int) -> Tensor:
    """Defines ``ops.paint``: a pixel is compared with every neighbour as far as the edge is wide."""
    number, opacity = labels.numpy().astype(int), int(alpha * 256 + 0.5)
    edge = np.zeros(number.shape, dtype=bool)
    height, width = number.shape
    for down in range(min(thickness, height - 1) + 1):
        for right in range(-min(thickness, width - 1), min(thickness, width - 1) + 1):
            near = slice(None, height - down), slice(max(-right, 0), width - max(right, 0))
            far = slice(down, None), slice(max(right, 0), width + min(right, 0))
            differs = number[near] != number[far]
            edge[near] |= differs
            edge[far] |= differs
    tint = np.concatenate([np.zeros((1, 3), int), colours.numpy()])[number]
    blended = (image.numpy().astype(int) * (256 - opacity) + tint * opacity + 128) >> 8
    result = np.where(edge[..., None], tint, blended)
    return torch.from_numpy(np.where(number[..., None] > 0, result, image.numpy()).astype(np.uint8))
