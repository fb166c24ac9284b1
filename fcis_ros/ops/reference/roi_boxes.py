# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Definition of regression, suppression and the weights of votes in plain PyTorch and NumPy."""

import numpy as np
import torch
from torch import Tensor

from fcis_ros import boxes as box_arithmetic


def decode_anchors(
    logits: Tensor, deltas: Tensor, anchors: Tensor, stride: int, height: int, width: int, min_size: float
) -> tuple[Tensor, Tensor]:
    """Defines ``ops.decode_anchors``; the softmax of the logits is taken in float64."""
    count, rows, columns = len(anchors), *logits.shape[1:]
    base = box_arithmetic.grid_anchors(anchors, rows, columns, stride)
    moves = deltas.reshape(count, 4, rows, columns).permute(2, 3, 0, 1).reshape(-1, 4)
    proposals = box_arithmetic.clip(box_arithmetic.decode(base, moves), height, width)
    pairs = logits.double().reshape(2, count, rows, columns)
    probabilities = torch.where(torch.isfinite(pairs).all(dim=0), torch.softmax(pairs, dim=0)[1].float(), -torch.inf)
    scores = probabilities.permute(1, 2, 0).reshape(-1)
    valid = (proposals[:, 2:] - proposals[:, :2] + 1 >= min_size).all(dim=1)
    return proposals, torch.where(valid, scores, -torch.inf)


def decode_rois(rois: Tensor, deltas: Tensor, stds: tuple[float, ...], height: int, width: int) -> Tensor:
    """Defines ``ops.decode_rois``."""
    moved = box_arithmetic.decode(rois[:, 1:], deltas * deltas.new_tensor(stds))
    return torch.cat([rois[:, :1], box_arithmetic.clip(moved, height, width)], dim=1)


def rois_to_image(
    rois: Tensor, scores: Tensor, scale: float, min_size: float, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Defines ``ops.rois_to_image``."""
    finite = torch.isfinite(rois).all(dim=1) & torch.isfinite(scores).all(dim=1)
    valid = finite & (rois[:, 2:] - rois[:, :2] + 1 >= min_size).all(dim=1)
    boxes = torch.where(valid[:, None], box_arithmetic.clip(rois / scale, height, width), torch.nan)
    return boxes, boxes.nan_to_num().round().int(), finite


def vote_weights(
    boxes: Tensor, scores: Tensor, winners: Tensor, labels: Tensor, threshold: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Defines ``ops.vote_weights``; IoUs and sums of scores are taken in float64."""
    kept, winner, label = winners >= 0, winners.clamp(min=0), labels.clamp(min=0)
    if not len(boxes):
        empty = boxes.new_zeros(len(winners), 0)
        return empty.int(), empty, boxes.new_zeros(len(winners))
    votes = kept[:, None] & (box_arithmetic.iou(boxes[winner].double(), boxes.double()) >= threshold)
    weights = torch.where(votes, scores.T[label].double(), 0)
    shares = torch.where(votes, weights / weights.sum(dim=1, keepdim=True), 0).float()
    voters = torch.where(votes, torch.arange(len(boxes), device=boxes.device), -1).int()
    return voters, shares, torch.where(kept, scores[winner, label], 0)


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """Defines ``ops.nms``: a box is dropped if its IoU with a kept one is above the threshold."""
    valid = np.flatnonzero((torch.isfinite(boxes).all(dim=1) & torch.isfinite(scores)).numpy())
    order = valid[np.argsort(-scores.numpy()[valid], kind="stable")]
    overlaps = box_arithmetic.iou(boxes[order], boxes[order]).numpy()
    alive = np.ones(len(order), dtype=bool)
    kept: list[int] = []
    for i in range(len(order)):
        if alive[i] and len(kept) < limit:
            kept.append(i)
            alive &= overlaps[i] <= threshold
    result = torch.full((limit,), -1, dtype=torch.long)
    result[: len(kept)] = torch.as_tensor(order[kept])
    return result


def class_nms(boxes: Tensor, scores: Tensor, threshold: float, floor: float, limit: int) -> tuple[Tensor, Tensor]:
    """Defines ``ops.class_nms``: NMS of every class, then a sort by score, label and rank within the class."""
    winners = []
    for label in range(1, scores.shape[1]):
        of_class = torch.where(scores[:, label] >= floor, scores[:, label], torch.nan)
        kept = nms(boxes, of_class, threshold, limit)
        winners += [(-float(of_class[i]), label, rank, int(i)) for rank, i in enumerate(kept) if i >= 0]
    winners = sorted(winners)[:limit]
    result = torch.full((2, limit), -1, dtype=torch.long)
    for rank, (_, label, _, index) in enumerate(winners):
        result[0, rank], result[1, rank] = index, label
    return result[0], result[1]
