# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Position-sensitive average of the box maps."""

from typing import Any

import torch
from torch import Tensor


def box_deltas(box_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """As ``reference.box_deltas``: [N, k*k*4, h, w], [R, 5] -> [R, 4]; differentiable in the maps.

    Raises:
        ValueError: an argument's dtype, rank, device, memory format or channel count does not fit; named in the message.
    """
    return torch.ops.fcis_ros.box_deltas(box_maps, rois, bins, size, stride)


@torch.library.register_fake("fcis_ros::box_deltas")
def _(maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    return maps.new_empty((rois.shape[0], maps.shape[1] // (bins * bins)), dtype=torch.float32)


@torch.library.register_fake("fcis_ros::box_deltas_backward")
def _(grad: Tensor, maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    return torch.empty_like(maps)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    maps, rois, *ctx.geometry = inputs
    ctx.save_for_backward(maps, rois)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return torch.ops.fcis_ros.box_deltas_backward(grad, *ctx.saved_tensors, *ctx.geometry), None, None, None, None


torch.library.register_autograd("fcis_ros::box_deltas", _backward, setup_context=_save)
