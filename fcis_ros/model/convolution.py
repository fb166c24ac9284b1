# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A convolution with bias, sum and ReLU in one call of cuDNN or oneDNN, where each would read and write the result again.

Which convolutions are fused, and by which algorithm, follows from the rules below and from cuDNN's heuristics. Timing the
candidates (``torch.backends.cudnn.benchmark``) could choose others at the next start, whose sums round differently: equal input
would no longer give equal bits, nor a captured frame those of one that was not. ``benchmarks.convolutions`` measures what that
costs.
"""

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fcis_ros.model.same_convolution import convolve, padded_kernel

MULTIPLE = 8  # of channels, for tensor cores; with three, cuDNN's fused 7x7 is slower than its parts (PyTorch issue 68506)
_not_fused: set[tuple] = set()  # kinds of convolutions for which this process's cuDNN has no fused algorithm


def conv_relu(conv: nn.Conv2d, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
    """Computes relu(conv(x) + shortcut).

    Args:
        conv: any convolution; fused where it has a bias (BatchNorm is folded) and gradients are not needed.
        x: [N, C, H, W].
        shortcut: [N, C', H', W'], or None.

    Returns:
        [N, C', H', W'].
    """
    if not may_fuse(conv, x):
        return _in_parts(conv, x, shortcut)
    kind = (x.dtype, torch.backends.cudnn.allow_tf32, conv.kernel_size, conv.stride, conv.dilation, shortcut is not None)
    if kind in _not_fused:
        return _in_parts(conv, x, shortcut)
    geometry: Any = (conv.stride, conv.padding, conv.dilation, conv.groups)  # numbers: no layer here pads to "same"
    try:
        if shortcut is None:
            return torch.cudnn_convolution_relu(x, conv.weight, conv.bias, *geometry)
        return torch.cudnn_convolution_add_relu(x, conv.weight, shortcut, 1.0, conv.bias, *geometry)
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:  # cuDNN has one type of error: if the parts fail, too, it was no missing algorithm
        result = _in_parts(conv, x, shortcut)
        _not_fused.add(kind)
        reason = str(error).splitlines()[0]
        warnings.warn(f"cuDNN has no fused {conv.kernel_size} convolution of {x.dtype}: {reason}", stacklevel=2)
        return result


def conv_norm_relu(conv: nn.Conv2d, norm: nn.Module, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
    """Computes relu(norm(conv(x)) + shortcut); ``norm`` is BatchNorm, or Identity once it is folded."""
    if isinstance(norm, nn.Identity):
        return conv_relu(conv, x, shortcut)
    x = norm(conv(x))
    return F.relu(x if shortcut is None else x + shortcut, inplace=True)


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Returns weight and bias with which ``conv`` alone computes norm(conv(x)) with the stored statistics; differentiable."""
    assert norm.running_mean is not None and norm.running_var is not None  # every network here tracks them
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return conv.weight * factor[:, None, None, None], norm.bias - norm.running_mean * factor


def fold_batch_norm(model: nn.Module) -> None:
    """Folds every BatchNorm2d, with its running statistics, into the convolution before it; for inference only."""
    for module in model.modules():
        children = list(module.named_children())
        for (_, conv), (name, norm) in zip(children, children[1:], strict=False):
            if not (isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)):
                continue
            with torch.no_grad():
                weight, bias = folded(conv, norm)
            conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
            setattr(module, name, nn.Identity())


def conv_relu6(conv: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Computes min(relu(conv(x)), 6) with a weight and a bias; on a CPU in one call where no gradient is needed.

    Args:
        conv: convolution whose geometry is used.
        x: [N, C, H, W].
        weight: weight in place of the convolution's.
        bias: bias in place of the convolution's.

    Returns:
        [N, C', H', W'].
    """
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    if not may_fuse_on_cpu(x, weight, bias, dtype):
        return F.relu6(convolve(conv, x, weight, bias), inplace=True)
    tensors = (tensor.to(dtype) for tensor in (x, padded_kernel(conv, weight, x), bias))
    geometry = (conv.padding, conv.stride, conv.dilation, conv.groups)
    with torch.no_grad():
        return torch.ops.mkldnn._convolution_pointwise(*tensors, *geometry, "hardtanh", [0.0, 6.0], "")


def _in_parts(conv: nn.Conv2d, x: Tensor, shortcut: Tensor | None) -> Tensor:
    result = conv(x)
    return F.relu(result if shortcut is None else result + shortcut, inplace=True)


def initialise_head(hidden: nn.Conv2d, *outputs: nn.Conv2d) -> None:
    """Initialises a hidden layer for its ReLU, output layers with a standard deviation of 0.01, and all biases with zero."""
    nn.init.kaiming_normal_(hidden.weight, nonlinearity="relu")
    for output in outputs:
        nn.init.normal_(output.weight, std=0.01)
    for layer in (hidden, *outputs):
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def may_fuse(conv: nn.Conv2d, x: Tensor) -> bool:
    """Returns whether to fuse: on a GPU, for inference; where a frame is exported its compiler fuses."""
    return x.is_cuda and fits(conv) and torch.backends.cudnn.enabled and torch.backends.cudnn.is_available()


def may_fuse_on_cpu(x: Tensor, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> bool:
    """Returns whether to fuse with ReLU6 on a CPU in a dtype; its bounds commute with rounding: they cost no accuracy."""
    trained = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (x, weight, bias))
    if x.device.type != "cpu" or trained or torch.compiler.is_compiling():
        return False
    mkldnn = torch.backends.mkldnn
    if not (mkldnn.is_available() and mkldnn.enabled):
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def fits(conv: nn.Conv2d) -> bool:
    """Returns whether a convolution can be fused in the current mode of PyTorch."""
    inference = not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    channels_fit = conv.groups == 1 and conv.in_channels % MULTIPLE == conv.out_channels % MULTIPLE == 0
    return inference and conv.bias is not None and channels_fit
