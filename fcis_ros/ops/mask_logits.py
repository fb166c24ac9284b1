# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The assembled outside/inside pair of one class per ROI."""

from typing import Any

import torch
from torch import Tensor


def mask_logits(score_maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """As ``reference.mask_logits``: [N, k*k*P*2, h, w], [R, 5], [R] -> [R, 2, S, S]; differentiable in the maps.

    Raises:
        ValueError: an argument's dtype, rank, device, memory format or channel count does not fit; named in the message.
    """
    return torch.ops.fcis_ros.mask_logits(score_maps, rois, labels, bins, size, stride)


@torch.library.register_fake("fcis_ros::mask_logits")
def _(maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    return maps.new_empty((rois.shape[0], 2, size, size), dtype=torch.float32)


@torch.library.register_fake("fcis_ros::mask_logits_backward")
def _(grad: Tensor, maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    return torch.empty_like(maps)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    maps, rois, labels, *ctx.geometry = inputs
    ctx.save_for_backward(maps, rois, labels)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return torch.ops.fcis_ros.mask_logits_backward(grad, *ctx.saved_tensors, *ctx.geometry), None, None, None, None, None


torch.library.register_autograd("fcis_ros::mask_logits", _backward, setup_context=_save)
