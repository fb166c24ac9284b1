# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The precision of the convolutions; everything after them computes in float32.

``fp32`` is IEEE single precision, on a GPU as well. ``tf32`` is what PyTorch does by default on NVIDIA GPUs from Ampere on, and
calls float32: stored in float32, multiplied with 10 bits of mantissa. ``device.auto_precision`` defines ``auto``.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from fcis_ros.errors import InputError
from fcis_ros.model.device import auto_precision

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_precision(name: str, device: torch.device) -> str:
    """Returns the precision to use on the device, for a name of ``DTYPES`` or ``auto``.

    Raises:
        InputError: the precision is unknown, or ``tf32`` on a CPU.
    """
    if name == "auto":
        return auto_precision(device).value
    if name not in DTYPES:
        raise InputError(f"precision {name!r}: expected auto, {', '.join(DTYPES)}")
    if name == "tf32" and device.type != "cuda":
        raise InputError(f"precision 'tf32': only GPUs have it, the device is {device}")
    return name


def cast(network: nn.Module, precision: str) -> None:
    """Rounds the weights of the convolutions, in place, once; buffers stay float32."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(DTYPES[precision])


@contextlib.contextmanager
def convolving(precision: str) -> Iterator[None]:
    """Allows or forbids TF32 for the float32 convolutions of this block, as ``precision`` requires.

    Whether cuDNN may round float32 to TF32 is a flag of the process, read when a convolution is launched: it is set for the
    block and restored after it, so that convolutions of the caller and of other predictors are not affected. Blocks of
    different precision must not run in several threads at once.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
