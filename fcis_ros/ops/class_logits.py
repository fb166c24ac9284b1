# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Class logits of every ROI straight from the score maps; nothing per square of the grid is stored."""

import torch
from torch import Tensor

from fcis_ros.ops.fake_checks import check_classes, check_score_maps, check_tensor
from fcis_ros.ops.gradients import register_gradient


def class_logits(score_maps: Tensor, rois: Tensor, classes: int, bins: int, size: int, stride: int) -> Tensor:
    """Computes the logit of every ROI and class: the mean over the squares of the grid of max(outside, inside).

    A square is the mean of the feature cells that it touches, read from the channels of its bin. Source: section 3.2 of the
    paper; ``psroi_pooling.cu`` of the released code. Definition: ``reference.class_logits``. Differentiable in ``score_maps``;
    where outside equals inside, the gradient goes to outside.

    Args:
        score_maps: [N, k*k*P*2, h, w] float32, float16 or bfloat16, contiguous or channels-last (faster); channel
            ((i*k + j)*P + class)*2 + side, side 0 outside, 1 inside (``ops.layout``).
        rois: [R, 5] float32 boxes, contiguous: image index, first and last pixel of the network's input.
        classes: C + 1, number of classes with the background.
        bins: k, bins per side of an ROI, 1 to 64.
        size: S, squares per side of the grid, a multiple of k up to 512.
        stride: input pixels per feature cell, 1 to 4096.

    Returns:
        [R, C+1] float32 logits.

    Raises:
        ValueError: an argument's dtype, rank, size, device, memory format or channel count does not fit; the message names it.
    """
    return torch.ops.fcis_ros.class_logits(score_maps, rois, classes, bins, size, stride)


@torch.library.register_fake("fcis_ros::class_logits")
@torch.library.register_fake("fcis_ros::patent_class_logits")
def _(maps: Tensor, rois: Tensor, classes: int, bins: int, *geometry: int) -> Tensor:
    check_score_maps(maps, rois, bins)
    check_classes("classes", classes, maps, bins)
    return maps.new_empty((rois.shape[0], classes), dtype=torch.float32)


@torch.library.register_fake("fcis_ros::class_logits_backward")
@torch.library.register_fake("fcis_ros::patent_class_logits_backward")
def _(grad: Tensor, maps: Tensor, rois: Tensor, bins: int, *geometry: int) -> Tensor:
    check_score_maps(maps, rois, bins)
    check_tensor("grad", grad, (rois.shape[0], None))
    check_classes("grad", grad.shape[1], maps, bins)
    return torch.empty_like(maps)


register_gradient("class_logits", skipped=1)
register_gradient("patent_class_logits", skipped=1)
