# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Convolutions padded as TensorFlow does, and depthwise ones, also with other weights than the stored ones."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def padded_kernel(conv: nn.Conv2d, weight: Tensor, x: Tensor) -> Tensor:
    """Returns the weights with which ``F.conv2d`` and the symmetric padding of ``conv`` compute it of an input of this size."""
    if not isinstance(conv, SameConv2d) or conv.stride[0] == 1:
        return weight
    height, width = x.shape[2:]
    return F.pad(weight, (1 - width % 2, 0, 1 - height % 2, 0))


def convolve(conv: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Computes ``conv`` of x with a weight and a bias in place of its parameters.

    A depthwise convolution is trained in float32 on a CPU: in bfloat16 oneDNN's gradients of its weights take five times as
    long.
    """
    kernel = padded_kernel(conv, weight, x)
    geometry: Any = (conv.stride, conv.padding, conv.dilation, conv.groups)  # numbers: the padding is none by name
    trained = torch.is_grad_enabled() and weight.requires_grad and weight.dtype == torch.float32
    if conv.groups == 1 or x.is_cuda or not trained:
        return F.conv2d(x, kernel, bias, *geometry)
    with torch.autocast("cpu", enabled=False):
        return F.conv2d(x.float(), kernel, bias, *geometry).to(x.dtype)


class SameConv2d(nn.Conv2d):
    """A convolution without bias and with TensorFlow's "SAME" padding: ceil(n / stride) outputs, the odd pixel at the end.

    Its side is 3, 5 or so; its stride is 1, or 2 without dilation.

    With stride 2 and an even length the padding at the end is one longer than that at the start. The kernel gets a row or
    column of zeros in front instead: symmetric padding then gives the same sums, without a copy of the image.
    """

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1, dilation: int = 1, groups: int = 1):
        padding = dilation * (side - 1) // 2
        super().__init__(inputs, outputs, side, stride, padding, dilation, groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        return convolve(self, input, self.weight, self.bias)
