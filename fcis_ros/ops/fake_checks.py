# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Argument checks of the fake kernels: rank, sizes, dtype and channels, by the rules of csrc/checks.h."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fcis_ros.ops.layout import padded_classes

MAP_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def check_tensor(name: str, tensor: Tensor, shape: Sequence[int | None], *dtypes: torch.dtype) -> None:
    """Checks rank, sizes and dtype of an argument.

    Args:
        name: name of the argument, for the message.
        tensor: the argument.
        shape: expected sizes, None for any.
        dtypes: allowed dtypes, float32 alone if none is given.

    Raises:
        ValueError: the tensor has another rank, size or dtype.
    """
    wanted = "[" + ", ".join("-1" if size is None else str(size) for size in shape) + "] (-1: any)"
    torch._check_value(tensor.dim() == len(shape), lambda: f"{name}: expected {wanted}, got {list(tensor.shape)}")
    for actual, size in zip(tensor.shape, shape, strict=True):
        if size is not None:
            torch._check_value(actual == size, lambda: f"{name}: expected {wanted}, got {list(tensor.shape)}")
    allowed = dtypes or (torch.float32,)
    names = " or ".join(map(str, allowed))
    torch._check_value(tensor.dtype in allowed, lambda: f"{name}: expected {names}, got {tensor.dtype}")


def check_maps(maps: Tensor, rois: Tensor, bins: int, channels: int = 1) -> None:
    """Checks maps [N, k*k*G, h, w] and ROIs [R, 5].

    Args:
        maps: the maps.
        rois: the ROIs.
        bins: k.
        channels: divisor of G, the number of channels of a bin.

    Raises:
        ValueError: one of them does not fit.
    """
    check_tensor("maps", maps, (None,) * 4, *MAP_DTYPES)
    check_tensor("rois", rois, (None, 5))
    torch._check_value(1 <= bins <= 64, lambda: f"bins: expected 1..64, got {bins}")
    count, multiple = maps.shape[1], channels * bins * bins
    fits = count >= multiple and count % multiple == 0
    torch._check_value(fits, lambda: f"maps: {count} channels are no multiple of {multiple}, as bins = {bins} needs")


def check_score_maps(maps: Tensor, rois: Tensor, bins: int) -> None:
    """Checks score maps [N, k*k*P*2, h, w] and ROIs as ``check_maps`` does."""
    check_maps(maps, rois, bins, 2 * padded_classes(1))


def check_classes(name: str, classes: int, maps: Tensor, bins: int) -> None:
    """Checks a number of classes against the channels of score maps; ``name`` is the argument that gives the number."""
    count = maps.shape[1]
    fits = classes >= 1 and count == 2 * padded_classes(classes) * bins * bins
    torch._check_value(fits, lambda: f"{name}: {classes} classes do not fit the {count} channels of maps with bins = {bins}")
