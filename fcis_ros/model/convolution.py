# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A convolution and what follows it: one call of cuDNN on a GPU, where bias, sum and ReLU would each read and write it again.

Which convolutions are fused, and by which algorithm, follows from rules: those below, and cuDNN's own heuristics. Timing the
candidates (``torch.backends.cudnn.benchmark``) could choose others at the next start, whose sums round differently: equal input
would no longer give equal bits, nor a captured frame those of one that was not. ``benchmarks.convolutions`` measures what that
costs.
"""

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MULTIPLE = 8  # of channels, for tensor cores; with three, cuDNN's fused 7x7 is slower than its parts (PyTorch issue 68506)
_apart: set[tuple] = set()  # what this process's cuDNN has no fused algorithm for


def conv_relu(conv: nn.Conv2d, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
    """relu(conv(x) + shortcut).

    Args:
        conv: any; fused where it has a bias (BatchNorm is folded) and nobody wants gradients.
        x: [N, C, H, W].
        shortcut: of the result's shape; None for none.

    Returns:
        [N, C', H', W'].
    """
    if may_fuse(conv, x):
        kind = (x.dtype, torch.backends.cudnn.allow_tf32, conv.kernel_size, conv.stride, conv.dilation, shortcut is not None)
        if kind not in _apart:
            try:
                return _fused(conv, x, shortcut)
            except RuntimeError as error:
                if not _is_missing(error):
                    raise
                _apart.add(kind)
                reason = str(error).splitlines()[0]
                warnings.warn(f"cuDNN has no fused {conv.kernel_size} convolution of {x.dtype}: {reason}", stacklevel=2)
    result = conv(x)
    return F.relu(result if shortcut is None else result + shortcut, inplace=True)


def may_fuse(conv: nn.Conv2d, x: Tensor) -> bool:
    """On a GPU, for inference. Where a frame is exported its compiler fuses."""
    return x.is_cuda and fits(conv) and torch.backends.cudnn.enabled and torch.backends.cudnn.is_available()


def fits(conv: nn.Conv2d) -> bool:
    """Whether a convolution is of the kind that is fused, here and now."""
    inference = not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    return inference and conv.bias is not None and conv.in_channels % MULTIPLE == conv.out_channels % MULTIPLE == 0


def _fused(conv: nn.Conv2d, x: Tensor, shortcut: Tensor | None) -> Tensor:
    padding: Any = conv.padding  # numbers: no layer here says "same"
    geometry = (conv.stride, padding, conv.dilation, conv.groups)
    if shortcut is None:
        return torch.cudnn_convolution_relu(x, conv.weight, conv.bias, *geometry)
    return torch.cudnn_convolution_add_relu(x, conv.weight, shortcut, 1.0, conv.bias, *geometry)


def _is_missing(error: RuntimeError) -> bool:
    """Whether cuDNN has no such algorithm; it may also be out of memory, or the device may have failed."""
    return any(words in str(error) for words in ("unable to find an engine", "NOT_SUPPORTED"))
