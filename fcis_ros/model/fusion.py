# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Assembled inside/outside scores -> class probabilities and mask probabilities (section 3.2; [0029])."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fcis_ros.config import ModelConfig
from fcis_ros.model.backbone import STRIDE
from fcis_ros.model.roi_operators import operators


@dataclass(frozen=True)
class FusedRois:
    """Scores and masks of every ROI of one image.

    Attributes:
        boxes: [R, 4] float32, first and last pixel in the resized image; rows of NaN are no ROIs.
        scores: [R, C+1] float32 probabilities, background first.
        masks: [R, S, S] float32, foreground probability of the ROI's best foreground class.
    """

    boxes: Tensor
    scores: Tensor
    masks: Tensor


def fuse(score_maps: Tensor, rois: Tensor, config: ModelConfig) -> FusedRois:
    """Computes joint scores and masks of ROIs [R, 5] from the maps of one image, [1, k*k*P*2, h, w].

    The class is decided by the softmax over classes of the mean of max(outside, inside); the mask is the softmax of the pair
    of the best class other than background, the lower label winning a tie.
    """
    assembly, geometry = operators(config), (config.bins, config.grid, STRIDE)
    scores = torch.softmax(assembly.class_logits(score_maps, rois, config.num_classes, *geometry), dim=1)
    return FusedRois(rois[:, 1:], scores, assembly.best_class_masks(score_maps, rois, scores, *geometry))
