# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Precision of a run's convolutions; weights, sums of gradients, targets and losses are always float32.

| device                                                              | auto |
|---------------------------------------------------------------------|------|
| CUDA, compute capability 8.0 or newer                               | bf16 |
| CPU with AVX512_BF16 or AMX_BF16, model of width 16 or more         | bf16 |
| any other                                                           | fp32 |

Not fp16, which inference prefers on a GPU: its gradients underflow without a loss scale, bfloat16's do not.
"""

import contextlib
from collections.abc import Iterator

import torch

from fcis_ros.errors import InputError
from fcis_ros.model.device import cpu_bf16_unit

# A bfloat16 unit multiplies 16 channels at a time: a narrower model gains nothing, and oneDNN's kernels for it are little
# tested (``model.backbones.resnet.PointwiseConv2d``).
LEAST_WIDTH = 16


def training_precision(name: str, device: torch.device, width: int) -> str:
    """Returns ``fp32`` or ``bf16``: the name itself, or for ``auto`` the choice of the table above.

    Args:
        name: requested precision: ``auto``, ``fp32`` or ``bf16``.
        device: device that computes.
        width: width of the model.

    Raises:
        InputError: ``bf16`` was requested by name, on a CPU, for a narrower model.
    """
    narrow = device.type == "cpu" and width < LEAST_WIDTH
    if name == "bf16" and narrow:
        raise InputError(f"precision 'bf16': on a CPU the model's width must be at least {LEAST_WIDTH}, it is {width}")
    if name != "auto":
        return name
    has_bf16 = torch.cuda.get_device_capability(device) >= (8, 0) if device.type == "cuda" else cpu_bf16_unit() is not None
    return "bf16" if has_bf16 and not narrow else "fp32"


@contextlib.contextmanager
def autocasting(name: str, device: torch.device, width: int) -> Iterator[None]:
    """Convolves in a precision inside the block; the only code that turns bfloat16 on for training.

    Args:
        name: precision as chosen by ``training_precision``: ``fp32`` or ``bf16``.
        device: device that computes.
        width: width of the model.

    Raises:
        InputError: ``bf16`` on a CPU, for a model that is too narrow.
    """
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=training_precision(name, device, width) == "bf16"):
        yield
