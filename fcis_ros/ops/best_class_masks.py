# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Mask probabilities of every ROI's best class: what inference needs of ``mask_logits``."""

import torch
from torch import Tensor

from fcis_ros.ops.fake_checks import check_classes, check_score_maps, check_tensor


def best_class_masks(score_maps: Tensor, rois: Tensor, scores: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Computes the mask probabilities of every ROI for its foreground class with the highest score.

    Of equal scores the lower label counts; NaN is lower than every score. Source: section 3.2 of the paper. Definition:
    ``reference.best_class_masks``. Not differentiable.

    Args:
        score_maps: [N, k*k*P*2, h, w] float32, float16 or bfloat16, contiguous or channels-last (faster); channel
            ((i*k + j)*P + class)*2 + side, side 0 outside, 1 inside (``ops.layout``).
        rois: [R, 5] float32 boxes, contiguous: image index, first and last pixel of the network's input.
        scores: [R, C+1] float32 class scores, background first.
        bins: k, bins per side of an ROI, 1 to 64.
        size: S, squares per side of the grid, a multiple of k up to 512.
        stride: input pixels per feature cell, 1 to 4096.

    Returns:
        [R, S, S] float32 probabilities, the softmax of the pair of ``mask_logits``; 0.5 in squares without a feature cell.

    Raises:
        ValueError: an argument's dtype, rank, size, device, memory format or channel count does not fit; the message names it.
    """
    return torch.ops.fcis_ros.best_class_masks(score_maps, rois, scores, bins, size, stride)


@torch.library.register_fake("fcis_ros::best_class_masks")
def _(maps: Tensor, rois: Tensor, scores: Tensor, bins: int, size: int, stride: int) -> Tensor:
    check_score_maps(maps, rois, bins)
    check_tensor("scores", scores, (rois.shape[0], None))
    check_classes("scores", scores.shape[1], maps, bins)
    return maps.new_empty((rois.shape[0], size, size), dtype=torch.float32)
