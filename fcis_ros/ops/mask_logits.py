# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The assembled outside/inside pair of one class per ROI."""

import torch
from torch import Tensor

from fcis_ros.ops.fake_checks import check_score_maps, check_tensor
from fcis_ros.ops.gradients import register_gradient


def mask_logits(score_maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Assembles the outside and the inside map of one class per ROI on a grid.

    Every square of the grid is the mean of the feature cells that it touches, read from the channels of its bin; a square
    without a cell is 0. Source: section 3.2 of the paper. Definition: ``reference.mask_logits``. Differentiable in
    ``score_maps``.

    Args:
        score_maps: [N, k*k*P*2, h, w] float32, float16 or bfloat16, contiguous or channels-last (faster); channel
            ((i*k + j)*P + class)*2 + side, side 0 outside, 1 inside (``ops.layout``).
        rois: [R, 5] float32 boxes, contiguous: image index, first and last pixel of the network's input.
        labels: [R] int64 class of each ROI's pair; one outside 0..P-1 gives zeros.
        bins: k, bins per side of an ROI, 1 to 64.
        size: S, squares per side of the grid, a multiple of k up to 512.
        stride: input pixels per feature cell, 1 to 4096.

    Returns:
        [R, 2, S, S] float32 logits, outside then inside; the mask probability is the softmax over dimension 1.

    Raises:
        ValueError: an argument's dtype, rank, size, device, memory format or channel count does not fit; the message names it.
    """
    return torch.ops.fcis_ros.mask_logits(score_maps, rois, labels, bins, size, stride)


@torch.library.register_fake("fcis_ros::mask_logits")
@torch.library.register_fake("fcis_ros::patent_mask_logits")
def _(maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    check_score_maps(maps, rois, bins)
    check_tensor("labels", labels, (rois.shape[0],), torch.int64)
    return maps.new_empty((rois.shape[0], 2, size, size), dtype=torch.float32)


@torch.library.register_fake("fcis_ros::mask_logits_backward")
@torch.library.register_fake("fcis_ros::patent_mask_logits_backward")
def _(grad: Tensor, maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    check_score_maps(maps, rois, bins)
    check_tensor("labels", labels, (rois.shape[0],), torch.int64)
    check_tensor("grad", grad, (rois.shape[0], 2, size, size))
    return torch.empty_like(maps)


register_gradient("mask_logits")
register_gradient("patent_mask_logits")
