# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Voting and pictures in plain PyTorch, NumPy and OpenCV."""

import cv2
import numpy as np
import torch
from torch import Tensor

from fcis_ros import rle


def vote_masks(
    boxes: Tensor,
    masks: Tensor,
    index: Tensor,
    weights: Tensor,
    height: int,
    width: int,
    threshold: float,
    binarise_first: bool,
    resample: int,
    capacity: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Every winner's mask: the weighted mean of its voters' masks, each rendered over its own box, then thresholded.

    Args:
        boxes: [R, 4] int32, first and last pixel, inside the image.
        masks: [M, S, S] float32 probabilities.
        index: [W, R] int32, which of the masks an ROI casts for a winner; -1: none.
        weights: [W, R] float32, summing to 1 over the voters of a winner.
        height: of the image.
        width: of the image.
        threshold: for masks.
        binarise_first: threshold every candidate before averaging (released code) or average probabilities (patent).
        resample: 0 takes the vote map as it is; otherwise it is shrunk to this many samples a side and enlarged again, and
            masks one pixel wide or high are dropped (released code).
        capacity: room for run lengths, None: as many as there are.

    Returns:
        [W, 4] int32 tight half-open boxes (zeros where no pixel won); [T] int32 run lengths of all masks, down the columns of
        the box, background first; [W] int32 where each winner's runs end. With a capacity runs are [capacity], those that do
        not fit are left out, and the rest is 0.
    """
    found, runs, ends = [], [], []
    for chosen, weight in zip(index.numpy(), weights.numpy(), strict=True):
        placed = None
        if (chosen >= 0).any():
            voters = np.flatnonzero(chosen >= 0)
            votes, corner = vote_map(
                boxes.numpy()[voters], masks.numpy()[chosen[voters]], weight[voters], height, width, threshold, binarise_first
            )
            placed = _tight(votes, corner, height, width, threshold, resample)
        box, mask = placed or ((0, 0, 0, 0), None)
        found.append(box)
        runs.append(np.zeros(0, np.int32) if mask is None else rle.encode(mask).astype(np.int32))
        ends.append(sum(map(len, runs)))
    if capacity is not None:
        runs = [part for part, end in zip(runs, ends, strict=True) if end <= capacity]
        runs.append(np.zeros(capacity - sum(map(len, runs)), np.int32))
    return (
        torch.tensor(found, dtype=torch.int32).reshape(-1, 4),
        torch.from_numpy(np.concatenate([np.zeros(0, np.int32), *runs])),
        torch.tensor(ends, dtype=torch.int32),
    )


def vote_map(
    boxes: np.ndarray,
    masks: np.ndarray,
    weights: np.ndarray,
    height: int,
    width: int,
    threshold: float,
    binarise_first: bool,
) -> tuple[np.ndarray, tuple[int, int]]:
    """The vote map of one winner over the union of its voters' boxes, [h', w'] float32, and its top left corner (x, y)."""
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
    """The vote map as a mask in its tight box; None when no pixel gets enough votes."""
    mask = votes >= np.float32(threshold)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    y1, y2, x1, x2 = rows[0], rows[-1], columns[0], columns[-1]
    mask = mask[y1 : y2 + 1, x1 : x2 + 1]
    if resample:
        if x2 <= x1 or y2 <= y1:
            return None
        box = np.array([x1, y1, x2, y2]) + np.tile(corner, 2)
        small = sample(votes, corner, box, resample, height, width)
        mask = cv2.resize(small, (int(x2 - x1 + 1), int(y2 - y1 + 1)), interpolation=cv2.INTER_LINEAR) >= np.float32(threshold)
        if not mask.any():
            return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    crop = np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    left, top = int(corner[0] + x1 + columns[0]), int(corner[1] + y1 + rows[0])
    return (left, top, left + crop.shape[1], top + crop.shape[0]), crop


def sample(votes: np.ndarray, corner: tuple[int, int], box: np.ndarray, size: int, height: int, width: int) -> np.ndarray:
    """[size, size] bilinear samples of a vote map over a box of its image, at the middles of equal parts.

    Around the map there are no votes; past the edge of the image it is as on the edge.
    """

    def along(low: int, high: int, start: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        places = low + (np.arange(size) + 0.5) * ((high - low + 1) / size) - 0.5
        places = places.clip(0, length - 1)
        first = np.floor(places).astype(int)
        return first - start + 1, (places - first).astype(np.float32)

    padded = np.pad(votes, ((1, 2), (1, 2)))
    (row, down), (column, right) = along(box[1], box[3], corner[1], height), along(box[0], box[2], corner[0], width)
    row, down, column, right = row[:, None], down[:, None], column[None], right[None]
    upper = padded[row, column] * (1 - right) + padded[row, column + 1] * right
    lower = padded[row + 1, column] * (1 - right) + padded[row + 1, column + 1] * right
    return upper * (1 - down) + lower * down


def label_map(boxes: Tensor, runs: Tensor, ends: Tensor, height: int, width: int) -> Tensor:
    """[H, W] uint16: at every pixel the number of the best instance there, counted from 1; 0 where there is none.

    Args:
        boxes: [W, 4] int32 half-open, best instance first.
        runs: [T] int32, as ``vote_masks`` gives them.
        ends: [W] int32.
        height: of the image.
        width: of the image.
    """
    labels = np.zeros((height, width), dtype=np.uint16)
    starts = [0, *ends.tolist()]
    for number in reversed(range(len(boxes))):
        x1, y1, x2, y2 = boxes[number].tolist()
        mask = rle.decode(runs[starts[number] : starts[number + 1]].numpy(), y2 - y1, x2 - x1)
        labels[y1:y2, x1:x2][mask] = number + 1
    return torch.from_numpy(labels)


def paint(image: Tensor, labels: Tensor, colours: Tensor, alpha: float, thickness: int) -> Tensor:
    """The overlay: every labelled pixel blended with its instance's colour, in full colour at the instance's visible edge.

    Args:
        image: [H, W, 3] uint8.
        labels: [H, W] uint16, as ``label_map`` gives it.
        colours: [W, 3] uint8, one per instance.
        alpha: opacity, 0..1, in steps of 1/256.
        thickness: of the edge in pixels, 0..255: the instance's pixels from which as many steps, straight or diagonal, lead to
            another label. Where the image ends is no edge.

    Returns:
        [H, W, 3] uint8.
    """
    number, own = labels.numpy().astype(int), int(alpha * 256 + 0.5)
    edge = np.zeros(number.shape, dtype=bool)
    height, width = number.shape
    for down in range(min(thickness, height - 1) + 1):
        for right in range(-min(thickness, width - 1), min(thickness, width - 1) + 1):
            here = slice(None, height - down), slice(max(-right, 0), width - max(right, 0))
            there = slice(down, None), slice(max(right, 0), width + min(right, 0))
            differs = number[here] != number[there]
            edge[here] |= differs
            edge[there] |= differs
    tint = np.concatenate([np.zeros((1, 3), int), colours.numpy()])[number]
    blended = (image.numpy().astype(int) * (256 - own) + tint * own + 128) >> 8
    result = np.where(edge[..., None], tint, blended)
    return torch.from_numpy(np.where(number[..., None] > 0, result, image.numpy()).astype(np.uint8))
