# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Loads and frees the model, and checks its device. PyTorch, which takes seconds to import, is imported in ``load``."""

import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Any

from fcis_ros.files import sha256


class DeviceLostError(Exception):
    """The device has failed for good: only another process can use it again."""


def load(model: str, device: str, threads: int, precision: str, progress: Callable[[str], None]) -> tuple[Any, str]:
    """Imports PyTorch, loads a checkpoint and computes once, so that the first frame is not delayed.

    Args:
        model: the path of a checkpoint or exported package; empty for the included one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: the number of CPU threads; 0 for PyTorch's default.
        precision: the precision of the convolutions.
        progress: the function that gets a line at every step.

    Returns:
        The predictor, and the first twelve digits of the file's SHA-256.

    Raises:
        InputError: the model, the device or the precision cannot be used.
        DeviceLostError: the device failed for good when it was first used.
    """
    progress("1/3 importing PyTorch")
    from fcis_ros.model import checkpoint
    from fcis_ros.model.exported import load_predictor

    progress("2/3 reading the checkpoint")
    predictor = load_predictor(model or None, device, threads or None, precision)
    digest = sha256(model or checkpoint.default_checkpoint())[:12]
    progress("3/3 computing for the first time")
    try:
        predictor(predictor.example())
    except Exception as error:
        if reason := device_failure(predictor.device):
            raise DeviceLostError(reason) from error
        raise
    return predictor, digest


def free() -> None:
    """Frees what a dropped predictor held: cached constants, and memory that PyTorch and the C library keep for later."""
    gc.collect()
    torch = sys.modules.get("torch")  # missing after a failed import
    if torch and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    with contextlib.suppress(OSError, AttributeError):  # not the GNU C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def gpu_megabytes(device: Any) -> str:
    """Returns the GPU memory that PyTorch holds in this process, in MiB."""
    import torch

    return f"{torch.cuda.memory_reserved(device) / 2**20:.0f}"


def device_failure(device: Any) -> str:
    """Returns why a device will never answer again; empty if it will.

    An error such as an illegal address stays in a CUDA context: every later call fails with it until the process ends.
    """
    if device.type != "cuda":
        return ""
    import torch

    try:
        torch.cuda.synchronize(device)
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return ""
