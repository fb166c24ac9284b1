# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Mask probabilities of every ROI's best class: what inference needs of ``mask_logits``."""

import torch
from torch import Tensor


def best_class_masks(score_maps: Tensor, rois: Tensor, scores: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """As ``reference.best_class_masks``: [N, k*k*P*2, h, w], [R, 5], [R, C+1] -> [R, S, S]; no gradient.

    Raises:
        ValueError: an argument's dtype, rank, device, memory format or channel count does not fit; named in the message.
    """
    return torch.ops.fcis_ros.best_class_masks(score_maps, rois, scores, bins, size, stride)


@torch.library.register_fake("fcis_ros::best_class_masks")
def _(maps: Tensor, rois: Tensor, scores: Tensor, bins: int, size: int, stride: int) -> Tensor:
    return maps.new_empty((rois.shape[0], size, size), dtype=torch.float32)
