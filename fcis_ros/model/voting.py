"""Fused ROIs -> instances: NMS per class, then mask voting (section 3.3; [0036]; released ``tester.py`` and ``lib/mask``)."""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from fcis_ros import boxes, ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.fusion import FusedRois
from fcis_ros.structures import Instances


def vote(
    fused: FusedRois,
    masks_of_class: Callable[[int], Tensor],
    scale: float,
    height: int,
    width: int,
    config: ModelConfig,
    score_floor: float,
) -> Instances:
    """Turns the ROIs of both rounds into instances of the original image.

    Args:
        fused: the ROIs in the resized image.
        masks_of_class: label -> [R, S, S] mask probabilities of that class; called for ``voting: category`` only.
        scale: resized pixels per original pixel.
        height: of the original image.
        width: of the original image.
        config: thresholds and the voting formulation.
        score_floor: instances below this score are left out before any work is spent on them.

    Returns:
        At most ``max_instances`` instances, best first. One ROI may survive in several classes.
    """
    sides = fused.boxes[:, 2:] - fused.boxes[:, :2] + 1
    large = (sides >= config.rpn_min_size).all(dim=1) & torch.isfinite(fused.scores).all(dim=1)
    candidates = boxes.clip(fused.boxes[large] / scale, height, width)
    scores = fused.scores[large]
    winners = _winners(candidates, scores, config, score_floor)
    overlaps = boxes.iou(candidates.double(), candidates.double()) >= config.vote_iou
    pixel_boxes = np.rint(candidates.cpu().numpy()).astype(np.int64)
    own = fused.masks[large].cpu().numpy() if config.voting == "released" else None
    by_class = {}
    found = []
    for score, label, index in winners:
        voters = torch.nonzero(overlaps[index])[:, 0]
        weights = scores[voters, label].double().cpu().numpy()
        voters = voters.cpu().numpy()
        if own is None and label not in by_class:
            by_class[label] = masks_of_class(label)[large].cpu().numpy()
        masks = by_class[label] if own is None else own
        votes, corner = ops.vote_masks(
            pixel_boxes[voters],
            masks[voters],
            weights / weights.sum(),
            height,
            width,
            config.mask_threshold,
            binarise_first=config.voting == "released",
        )
        if (placed := _tight(votes, corner, config, height, width)) is not None:
            found.append((score, label, *placed))
    return Instances(
        height,
        width,
        np.array([box for _, _, box, _ in found], dtype=np.int32).reshape(-1, 4),
        np.array([score for score, *_ in found], dtype=np.float32),
        np.array([label for _, label, *_ in found], dtype=np.int64),
        tuple(crop for *_, crop in found),
        config.class_names,
    )


def _winners(candidates: Tensor, scores: Tensor, config: ModelConfig, score_floor: float) -> list[tuple[float, int, int]]:
    """(score, label, ROI) of what NMS leaves over all classes, best first; ties at the last place may exceed the limit."""
    winners = []
    for label in range(1, config.num_classes):
        # NMS is greedy from the top, so ROIs below the floor cannot change what happens above it.
        able = torch.nonzero(scores[:, label] >= max(score_floor, config.score_floor))[:, 0]
        kept = able[ops.nms(candidates[able], scores[able, label], config.nms, config.max_instances)]
        winners += [(float(scores[i, label]), label, int(i)) for i in kept]
    winners.sort(key=lambda winner: -winner[0])
    if len(winners) > config.max_instances:
        last = winners[config.max_instances - 1][0]
        winners = [winner for winner in winners if winner[0] >= last]
    return winners


def _tight(
    votes: np.ndarray, corner: tuple[int, int], config: ModelConfig, height: int, width: int
) -> tuple[tuple[int, int, int, int], np.ndarray] | None:
    """The vote map as a mask in its tight box; None when no pixel gets enough votes."""
    mask = votes >= np.float32(config.mask_threshold)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    y1, y2, x1, x2 = rows[0], rows[-1], columns[0], columns[-1]
    if config.mask_output == "released":
        if x2 <= x1 or y2 <= y1:  # the released GPU path drops masks one pixel wide or high
            return None
        # The vote map is shrunk to the grid and enlarged again; samples may bleed past the tight box.
        small = _sample(votes, (x1, y1, x2, y2), config.grid)
        mask = cv2.resize(small, (int(x2 - x1 + 1), int(y2 - y1 + 1)), interpolation=cv2.INTER_LINEAR) >= config.mask_threshold
        if not mask.any():
            return None
    else:
        mask = mask[y1 : y2 + 1, x1 : x2 + 1]
    left, top = int(corner[0] + x1), int(corner[1] + y1)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    crop = np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    left, top = left + int(columns[0]), top + int(rows[0])
    return (left, top, left + crop.shape[1], top + crop.shape[0]), crop


def _sample(votes: np.ndarray, box: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Half-pixel bilinear samples of a vote map on a size x size grid over a box, clamped at the map's edge, not the box's."""
    x1, y1, x2, y2 = box
    xs = x1 + (np.arange(size, dtype=np.float32) + 0.5) * (x2 - x1 + 1) / size - 0.5
    ys = y1 + (np.arange(size, dtype=np.float32) + 0.5) * (y2 - y1 + 1) / size - 0.5
    grid_x, grid_y = np.meshgrid(xs.astype(np.float32), ys.astype(np.float32))
    return cv2.remap(votes, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
