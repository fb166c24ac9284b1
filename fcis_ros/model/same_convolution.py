# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Convolutions padded as TensorFlow does, and depthwise ones."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SameConv2d(nn.Conv2d):
    """A convolution without bias and with TensorFlow's "SAME" padding: ceil(n / stride) outputs, the odd pixel at the end.

    Its side is 3, 5 or so; its stride is 1, or 2 without dilation.

    With stride 2 and an even length the padding at the end is one longer than that at the start. The kernel gets a row or
    column of zeros in front instead: symmetric padding then gives the same sums, without a copy of the image.

    A depthwise convolution is trained in float32 on a CPU: in bfloat16 oneDNN's gradients of its weights take five times as
    long.
    """

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1, dilation: int = 1, groups: int = 1):
        padding = dilation * (side - 1) // 2
        super().__init__(inputs, outputs, side, stride, padding, dilation, groups, bias=False)

    def kernel(self, input: Tensor) -> Tensor:
        """Returns the weights for an input of this size: ``F.conv2d`` with symmetric padding then pads as "SAME"."""
        if self.stride[0] == 1:
            return self.weight
        height, width = input.shape[2:]
        return F.pad(self.weight, (1 - width % 2, 0, 1 - height % 2, 0))

    def forward(self, input: Tensor) -> Tensor:
        weight = self.kernel(input)
        geometry: Any = (self.stride, self.padding, self.dilation, self.groups)  # numbers: the padding is none by name
        trained = torch.is_grad_enabled() and self.weight.requires_grad and self.weight.dtype == torch.float32
        if self.groups == 1 or input.is_cuda or not trained:
            return F.conv2d(input, weight, self.bias, *geometry)
        with torch.autocast("cpu", enabled=False):
            return F.conv2d(input.float(), weight, self.bias, *geometry).to(input.dtype)
