# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Registers the gradient of operators that read maps."""

from typing import Any

import torch
from torch import Tensor


def register_gradient(name: str, skipped: int = 0) -> None:
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
