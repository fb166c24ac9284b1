# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Position-sensitive average of the box maps."""

import torch
from torch import Tensor

from fcis_ros.ops.fake_checks import check_maps, check_tensor
from fcis_ros.ops.gradients import register_gradient


def box_deltas(box_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Computes the box regression of every ROI: the mean of the box maps over the squares of the grid, each read from its bin.

    Source: section 3.2 of the paper; ``psroi_pooling.cu`` of the released code.
    Definition: ``reference.box_deltas``. Differentiable in ``box_maps``.

    Args:
        box_maps: [N, k*k*4, h, w] float32, float16 or bfloat16, contiguous or channels-last; channel (i*k + j)*4 + d.
        rois: [R, 5] float32 boxes, contiguous: image index, first and last pixel of the network's input.
        bins: k, bins per side of an ROI, 1 to 64.
        size: S, squares per side of the grid, a multiple of k up to 512.
        stride: input pixels per feature cell, 1 to 4096.

    Returns:
        [R, 4] float32 normalised deltas dx, dy, dw, dh, before multiplication by the standard deviations.

    Raises:
        ValueError: an argument's dtype, rank, size, device, memory format or channel count does not fit; the message names it.
    """
    return torch.ops.fcis_ros.box_deltas(box_maps, rois, bins, size, stride)


@torch.library.register_fake("fcis_ros::box_deltas")
@torch.library.register_fake("fcis_ros::patent_box_deltas")
def _(maps: Tensor, rois: Tensor, bins: int, *geometry: int) -> Tensor:
    check_maps(maps, rois, bins)
    return maps.new_empty((rois.shape[0], maps.shape[1] // (bins * bins)), dtype=torch.float32)


@torch.library.register_fake("fcis_ros::box_deltas_backward")
@torch.library.register_fake("fcis_ros::patent_box_deltas_backward")
def _(grad: Tensor, maps: Tensor, rois: Tensor, bins: int, *geometry: int) -> Tensor:
    check_maps(maps, rois, bins)
    check_tensor("grad", grad, (rois.shape[0], maps.shape[1] // (bins * bins)))
    return torch.empty_like(maps)


register_gradient("box_deltas")
register_gradient("patent_box_deltas")
