# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Assembly: what is read from the maps inside every ROI."""

from typing import Any

import torch
from torch import Tensor

from fcis_ros.ops.fake_checks import check_classes, check_maps, check_score_maps, check_tensor


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


@torch.library.register_fake("fcis_ros::best_class_masks")
def _(maps: Tensor, rois: Tensor, scores: Tensor, bins: int, size: int, stride: int) -> Tensor:
    check_score_maps(maps, rois, bins)
    check_tensor("scores", scores, (rois.shape[0], None))
    check_classes("scores", scores.shape[1], maps, bins)
    return maps.new_empty((rois.shape[0], size, size), dtype=torch.float32)


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


def _register_gradient(name: str, skipped: int) -> None:
    """Registers ``<name>_backward(grad, *tensors, *numbers)`` as the gradient of ``<name>`` with respect to its maps.

    Args:
        name: name of an operator whose arguments are the maps, other tensors and then numbers.
        skipped: count of leading numbers that the backward operator does not take (the gradient's shape gives the classes).
    """

    def save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*(value for value in inputs if isinstance(value, Tensor)))
        ctx.numbers = [value for value in inputs if not isinstance(value, Tensor)]

    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        operator = getattr(torch.ops.fcis_ros, f"{name}_backward")
        maps_grad = operator(grad, *ctx.saved_tensors, *ctx.numbers[skipped:])
        return maps_grad, *[None] * (len(ctx.saved_tensors) - 1 + len(ctx.numbers))

    torch.library.register_autograd(f"fcis_ros::{name}", backward, setup_context=save)


for _prefix in ("", "patent_"):
    _register_gradient(f"{_prefix}class_logits", 1)
    _register_gradient(f"{_prefix}mask_logits", 0)
    _register_gradient(f"{_prefix}box_deltas", 0)
