# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Regression, suppression and election in plain PyTorch and NumPy."""

import numpy as np
import torch
from torch import Tensor

from fcis_ros import boxes as box_arithmetic


def decode_anchors(
    logits: Tensor, deltas: Tensor, anchors: Tensor, stride: int, height: int, width: int, min_size: float
) -> tuple[Tensor, Tensor]:
    """The RPN's candidates: the anchors of every feature cell, regressed and clipped, and their probability of being an object.

    Args:
        logits: [2A, h, w], A background, then A object.
        deltas: [4A, h, w], dx, dy, dw, dh of the first anchor, then of the second.
        anchors: [A, 4] of the cell at the origin.
        stride: input pixels per feature cell.
        height: of the resized image, to which candidates are clipped.
        width: of the resized image.
        min_size: least width and height of a candidate.

    Returns:
        [h*w*A, 4] boxes and [h*w*A] scores, cell by cell, row by row; the score of what is too small or not finite is -inf.
    """
    count, rows, columns = len(anchors), *logits.shape[1:]
    base = box_arithmetic.grid_anchors(anchors, rows, columns, stride)
    moves = deltas.reshape(count, 4, rows, columns).permute(2, 3, 0, 1).reshape(-1, 4)
    found = box_arithmetic.clip(box_arithmetic.decode(base, moves), height, width)
    pairs = logits.double().reshape(2, count, rows, columns)
    probabilities = torch.where(torch.isfinite(pairs).all(dim=0), torch.softmax(pairs, dim=0)[1].float(), -torch.inf)
    scores = probabilities.permute(1, 2, 0).reshape(-1)
    valid = (found[:, 2:] - found[:, :2] + 1 >= min_size).all(dim=1)
    return found, torch.where(valid, scores, -torch.inf)


def decode_rois(rois: Tensor, deltas: Tensor, stds: tuple[float, ...], height: int, width: int) -> Tensor:
    """The ROIs of the second round: those of the first, regressed and clipped.

    Args:
        rois: [R, 5].
        deltas: [R, 4] as ``box_deltas`` gives them.
        stds: four factors for the deltas.
        height: of the resized image.
        width: of the resized image.

    Returns:
        [R, 5]; the image index stays.
    """
    moved = box_arithmetic.decode(rois[:, 1:], deltas * deltas.new_tensor(stds))
    return torch.cat([rois[:, :1], box_arithmetic.clip(moved, height, width)], dim=1)


def rois_to_image(
    rois: Tensor, scores: Tensor, scale: float, min_size: float, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes of ROIs in the original image.

    Args:
        rois: [R, 4] in the resized image.
        scores: [R, C+1].
        scale: resized pixels per original pixel.
        min_size: least width and height in the resized image.
        height: of the original image, to which boxes are clipped.
        width: of the original image.

    Returns:
        [R, 4] boxes, NaN for an ROI that is too small or not finite; [R, 4] int32, the same to the nearest pixel, then 0; [R]
        bool, whether box and scores are finite.
    """
    finite = torch.isfinite(rois).all(dim=1) & torch.isfinite(scores).all(dim=1)
    able = finite & (rois[:, 2:] - rois[:, :2] + 1 >= min_size).all(dim=1)
    boxes = torch.where(able[:, None], box_arithmetic.clip(rois / scale, height, width), torch.nan)
    return boxes, boxes.nan_to_num().round().int(), finite


def vote_weights(
    boxes: Tensor, scores: Tensor, winners: Tensor, labels: Tensor, threshold: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Who votes for each winner of NMS, and with which weight (released ``mask_voting``; [0036] of the patent).

    Args:
        boxes: [R, 4] in the original image, NaN where an ROI is none.
        scores: [R, C+1] probabilities.
        winners: [W] int64 ROIs, -1: none.
        labels: [W] int64, the winners' classes.
        threshold: least IoU of a voter with the winner.

    Returns:
        [W, R] int32, the ROI itself where it votes, else -1; [W, R] weights, a voter's share in the sum of all voters of its
        winner, by their scores in the winner's class, else 0; [W] the winner's own score, 0 for none.
    """
    found, winner, label = winners >= 0, winners.clamp(min=0), labels.clamp(min=0)
    if not len(boxes):
        empty = boxes.new_zeros(len(winners), 0)
        return empty.int(), empty, boxes.new_zeros(len(winners))
    votes = found[:, None] & (box_arithmetic.iou(boxes[winner].double(), boxes.double()) >= threshold)
    weights = torch.where(votes, scores.T[label].double(), 0)
    shares = torch.where(votes, weights / weights.sum(dim=1, keepdim=True), 0).float()
    voters = torch.where(votes, torch.arange(len(boxes), device=boxes.device), -1).int()
    return voters, shares, torch.where(found, scores[winner, label], 0)


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """Greedy non-maximum suppression; equal scores keep their input order.

    Args:
        boxes: [R, 4] float32, first and last pixel. A box or score that is not finite is never kept.
        scores: [R] float32.
        threshold: a box with IoU above this against a kept box is dropped.
        limit: most boxes to keep.

    Returns:
        [limit] int64: indices of the kept boxes, best first, then -1: the size is known before the result.
    """
    able = np.flatnonzero((torch.isfinite(boxes).all(dim=1) & torch.isfinite(scores)).numpy())
    order = able[np.argsort(-scores.numpy()[able], kind="stable")]
    overlaps = box_arithmetic.iou(boxes[order], boxes[order]).numpy()
    kept = _greedy(overlaps, threshold, limit)
    result = torch.full((limit,), -1, dtype=torch.long)
    result[: len(kept)] = torch.as_tensor(order[kept])
    return result


def _greedy(overlaps: np.ndarray, threshold: float, limit: int) -> list[int]:
    alive = np.ones(len(overlaps), dtype=bool)
    kept: list[int] = []
    for i in range(len(overlaps)):
        if alive[i] and len(kept) < limit:
            kept.append(i)
            alive &= overlaps[i] <= threshold
    return kept


def class_nms(boxes: Tensor, scores: Tensor, threshold: float, floor: float, limit: int) -> tuple[Tensor, Tensor]:
    """NMS of every class by itself, then the best of all classes (released ``tester.py``).

    Args:
        boxes: [R, 4] float32, the same for all classes.
        scores: [R, C+1] float32, background first.
        threshold: as for ``nms``.
        floor: least score that takes part. NMS is greedy from the top: what is below it cannot change what is above.
        limit: most results; among equal scores the lower label, then the lower index comes first.

    Returns:
        [limit] int64 indices of boxes and [limit] int64 labels, best first, then -1.
    """
    winners = []
    for label in range(1, scores.shape[1]):
        own = torch.where(scores[:, label] >= floor, scores[:, label], torch.nan)
        kept = nms(boxes, own, threshold, limit)
        winners += [(-float(own[i]), label, place, int(i)) for place, i in enumerate(kept) if i >= 0]
    winners = sorted(winners)[:limit]
    result = torch.full((2, limit), -1, dtype=torch.long)
    for place, (_, label, _, index) in enumerate(winners):
        result[0, place], result[1, place] = index, label
    return result[0], result[1]
