# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``assemble: native``: the operators that read the maps inside every ROI as they are, as the patent words it ([0028]-[0030]).

They take what their namesakes in ``fcis_ros.ops`` take and give tensors of the same shapes; ``reference.patent`` defines what
each computes. Class logits and box deltas come from summed-area tables: four reads per ROI, bin and channel, however large the
ROI is. Maps must be finite: what is not would spread through the tables to other ROIs.
"""

from typing import Any

import torch
from torch import Tensor

_ops = torch.ops.fcis_ros


def class_logits(score_maps: Tensor, rois: Tensor, classes: int, bins: int, size: int, stride: int) -> Tensor:
    """As ``reference.patent.class_logits``: [N, k*k*P*2, h, w], [R, 5] -> [R, C+1]; differentiable in the maps.

    Raises:
        ValueError: an argument's dtype, rank, device, memory format or channel count does not fit; named in the message.
    """
    return _ops.patent_class_logits(score_maps, rois, classes, bins, stride)


def mask_logits(score_maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """As ``reference.patent.mask_logits``: [N, k*k*P*2, h, w], [R, 5], [R] -> [R, 2, S, S]; differentiable in the maps.

    Raises:
        ValueError: as for ``class_logits``.
    """
    return _ops.patent_mask_logits(score_maps, rois, labels, bins, size, stride)


def best_class_masks(score_maps: Tensor, rois: Tensor, scores: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Mask probabilities [R, S, S] of the best class but the background, the lower label of equals; scores [R, C+1].

    Raises:
        ValueError: as for ``class_logits``.
    """
    pairs = mask_logits(score_maps, rois, best_labels(scores), bins, size, stride)
    return torch.sigmoid(pairs[:, 1] - pairs[:, 0])


def best_labels(scores: Tensor) -> Tensor:
    """[R, C+1] -> [R]: the class but the background with the highest score, the lower one of equals; NaN counts as none."""
    return torch.where(scores.isnan(), -torch.inf, scores)[:, 1:].argmax(dim=1) + 1


def box_deltas(box_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """As ``reference.patent.box_deltas``: [N, k*k*4, h, w], [R, 5] -> [R, 4]; differentiable in the maps.

    Raises:
        ValueError: as for ``class_logits``.
    """
    return _ops.patent_box_deltas(box_maps, rois, bins, stride)


@torch.library.register_fake("fcis_ros::patent_class_logits")
def _(maps: Tensor, rois: Tensor, classes: int, bins: int, stride: int) -> Tensor:
    return maps.new_empty((rois.shape[0], classes), dtype=torch.float32)


@torch.library.register_fake("fcis_ros::patent_mask_logits")
def _(maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    return maps.new_empty((rois.shape[0], 2, size, size), dtype=torch.float32)


@torch.library.register_fake("fcis_ros::patent_box_deltas")
def _(maps: Tensor, rois: Tensor, bins: int, stride: int) -> Tensor:
    return maps.new_empty((rois.shape[0], maps.shape[1] // (bins * bins)), dtype=torch.float32)


@torch.library.register_fake("fcis_ros::patent_class_logits_backward")
@torch.library.register_fake("fcis_ros::patent_mask_logits_backward")
@torch.library.register_fake("fcis_ros::patent_box_deltas_backward")
def _(grad: Tensor, maps: Tensor, *arguments: Any) -> Tensor:
    return torch.empty_like(maps)


def _differentiable(name: str, skipped: int = 0) -> None:
    """Registers ``<name>_backward``, which gives the gradient of the first argument, the maps.

    ``skipped`` of the numbers are no arguments of it: how many classes there are, the gradient's shape says.
    """

    def save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*(value for value in inputs if isinstance(value, Tensor)))
        ctx.geometry = [value for value in inputs if not isinstance(value, Tensor)]

    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        maps_grad = getattr(_ops, f"{name}_backward")(grad, *ctx.saved_tensors, *ctx.geometry[skipped:])
        return maps_grad, *[None] * (len(ctx.saved_tensors) - 1 + len(ctx.geometry))

    torch.library.register_autograd(f"fcis_ros::{name}", backward, setup_context=save)


_differentiable("patent_class_logits", skipped=1)
_differentiable("patent_mask_logits")
_differentiable("patent_box_deltas")
