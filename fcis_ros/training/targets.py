# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Training targets of the RPN and of the ROIs from the annotations of one training crop, as in the released code."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from fcis_ros import boxes
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.train_config import TrainConfig

IGNORED = -1
RPN_SAMPLES = 256
RPN_POSITIVE_IOU, RPN_NEGATIVE_IOU = 0.7, 0.3
ROI_POSITIVE_IOU = 0.5
FOREGROUND_FRACTION = 0.25  # maximum fraction of objects among the sampled ROIs
CROWD_COVER = 0.3  # a box with more than this fraction of its area in crowd regions is not a background example
MASK_TARGET_THRESHOLD = 0.4


def crowd_cover(box: Tensor, ignore: Tensor) -> Tensor:
    """Computes the fraction [B] of each box [B, 4] that lies on ignored pixels [h, w]."""
    if not ignore.any():
        return box.new_zeros(len(box))
    height, width = ignore.shape
    integral = torch.zeros(height + 1, width + 1)
    integral[1:, 1:] = ignore.float().cumsum(0).cumsum(1)
    x1, y1 = box[:, 0].round().clamp(0, width).long().cpu(), box[:, 1].round().clamp(0, height).long().cpu()
    x2, y2 = (box[:, 2].round() + 1).clamp(0, width).long().cpu(), (box[:, 3].round() + 1).clamp(0, height).long().cpu()
    covered = integral[y2, x2] - integral[y1, x2] - integral[y2, x1] + integral[y1, x1]
    return covered.to(box) / boxes.area(box).clamp(min=1)


def rpn_targets(anchors: Tensor, item: TrainItem, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Computes labels and deltas of every anchor.

    An anchor that lies entirely inside the image is positive with IoU >= 0.7, or as the best (ties included) for an object,
    and negative below 0.3; 256 are sampled, at most half of them positive. Anchors on crowd regions are not used as negatives.

    Args:
        anchors: [B, 4] anchor boxes.
        item: training crop.
        generator: generator of the sampling.

    Returns:
        labels [B] int64 (1, 0 or IGNORED) and deltas [B, 4], meaningful where the label is 1.
    """
    height, width = item.image.shape[1:]
    inside = (anchors[:, 0] >= 0) & (anchors[:, 1] >= 0) & (anchors[:, 2] < width) & (anchors[:, 3] < height)
    labels = torch.full((len(anchors),), IGNORED, dtype=torch.int64, device=anchors.device)
    deltas = torch.zeros_like(anchors)
    if len(item.boxes):
        overlaps = boxes.iou(anchors, item.boxes) * inside[:, None]
        best, match = overlaps.max(dim=1)
        labels[inside & (best < RPN_NEGATIVE_IOU)] = 0
        column = overlaps.max(dim=0).values
        # An object that no inside anchor touches has a column maximum of 0 and must not make every anchor positive.
        labels[((overlaps == column) & (column > 0)).any(dim=1)] = 1
        labels[inside & (best >= RPN_POSITIVE_IOU)] = 1
        deltas = boxes.encode(anchors, item.boxes[match])
    else:
        labels[inside] = 0
    labels[(labels == 0) & (crowd_cover(anchors, item.ignore) > CROWD_COVER)] = IGNORED
    _subsample(labels, labels == 1, RPN_SAMPLES // 2, generator)
    _subsample(labels, labels == 0, RPN_SAMPLES - int((labels == 1).sum()), generator)
    return labels, deltas


def _subsample(labels: Tensor, selected: Tensor, most: int, generator: torch.Generator) -> None:
    """Sets random entries of ``selected`` [B] to IGNORED until ``most`` are left."""
    index = torch.nonzero(selected)[:, 0]
    if len(index) > most:
        drop = torch.randperm(len(index), generator=generator)[: len(index) - most].to(index.device)
        labels[index[drop]] = IGNORED


@dataclass(frozen=True)
class RoiTargets:
    """Targets of R ROIs.

    Attributes:
        rois: [R, 4] float32 proposals and ground-truth boxes.
        labels: [R] int64 class, 0 background, IGNORED on crowd regions and for ROIs that are not trained on.
        deltas: [R, 4] normalised deltas, meaningful where the label is positive.
        masks: [R, S, S] int64 masks, 0 or 1, meaningful where the label is positive.
    """

    rois: Tensor
    labels: Tensor
    deltas: Tensor
    masks: Tensor


def roi_targets(proposals: Tensor, item: TrainItem, config: TrainConfig, generator: torch.Generator) -> RoiTargets:
    """Assigns each ROI the object it overlaps most, from IoU 0.5; the others are background or, on crowd regions, ignored.

    With ``roi_samples`` a random sample is kept, at most a quarter of it objects. The released code fills a sample that is too
    small with the remaining ROIs, objects included, as background; here it stays small.

    Args:
        proposals: [R, 4] boxes, to which the ground-truth boxes are appended.
        item: training crop.
        config: configuration of the run.
        generator: generator of the sampling.
    """
    grid = config.model.grid
    rois = torch.cat([proposals, item.boxes])
    labels = torch.zeros(len(rois), dtype=torch.int64, device=rois.device)
    deltas = torch.zeros_like(rois)
    masks = torch.zeros(len(rois), grid, grid, dtype=torch.int64, device=rois.device)
    best, match = torch.zeros_like(rois[:, 0]), torch.zeros_like(labels)
    if len(item.boxes):
        best, match = boxes.iou(rois.double(), item.boxes.double()).max(dim=1)
        labels = torch.where(best >= ROI_POSITIVE_IOU, item.labels[match], labels)
    labels[(labels == 0) & (best < config.background_iou)] = IGNORED
    labels[(labels == 0) & (crowd_cover(rois, item.ignore) > CROWD_COVER)] = IGNORED
    if config.roi_samples:
        _subsample(labels, labels > 0, int(config.roi_samples * FOREGROUND_FRACTION), generator)
        _subsample(labels, labels == 0, config.roi_samples - int((labels > 0).sum()), generator)
    positive = torch.nonzero(labels > 0)[:, 0]
    if len(positive):
        matched = item.boxes[match[positive]]
        deltas[positive] = boxes.encode(rois[positive], matched) / rois.new_tensor(config.model.box_stds)
        object_masks = item.masks[match[positive]].cpu().numpy()
        arrays = zip(object_masks, matched.cpu().numpy(), rois[positive].cpu().numpy(), strict=True)
        masks[positive] = torch.from_numpy(np.stack([mask_target(*each, grid) for each in arrays])).to(masks)
    return RoiTargets(rois, labels, deltas, masks)


def mask_target(mask: np.ndarray, object_box: np.ndarray, roi: np.ndarray, grid: int) -> np.ndarray:
    """Returns the part of an object's mask inside a rounded ROI, resized bilinearly to [S, S] and thresholded; 0 or 1.

    Pixels outside the object's rounded box are zero.
    """
    x1, y1, x2, y2 = np.rint(roi).astype(int)
    left, top = np.maximum([x1, y1], np.rint(object_box[:2]).astype(int))
    right, bottom = np.minimum([x2, y2], np.rint(object_box[2:]).astype(int))
    window = np.zeros((y2 - y1 + 1, x2 - x1 + 1), dtype=np.float32)
    if right >= left and bottom >= top:
        window[top - y1 : bottom - y1 + 1, left - x1 : right - x1 + 1] = mask[top : bottom + 1, left : right + 1]
    return (cv2.resize(window, (grid, grid), interpolation=cv2.INTER_LINEAR) >= MASK_TARGET_THRESHOLD).astype(np.int64)
