# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The meaning of ``auto``: device and precision by rules that follow from the hardware alone, the same at every start.

| device                                | precision | why                                                             |
|---------------------------------------|-----------|-----------------------------------------------------------------|
| CUDA, compute capability 7.0 or newer | fp16      | its tensor cores; fp16 rounds eight times finer than bf16       |
| CUDA, older                           | fp32      | no tensor cores                                                 |
| CPU with AVX512_BF16 or AMX_BF16      | bf16      | multiplies it in hardware; no CPU of today convolves in fp16    |
| any other CPU                         | fp32      | the others would be emulated                                    |
"""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from fcis_ros import ops
from fcis_ros.errors import InputError
from fcis_ros.ops import library

CPU_FACTS = Path("/proc/cpuinfo")
BF16_UNITS = ("amx_bf16", "avx512_bf16")  # as Linux names them
# CUDA's codes for a driver older than the runtime, a GPU that nothing was compiled for, and code newer than the driver.
NOT_COMPILED = (35, 209, 222)
WITHOUT_CUDA = f"the operators were built without CUDA; with nvcc installed, build them again: {library.BUILD}"


@dataclass(frozen=True)
class AutoChoice:
    """Meaning of ``auto`` on this machine.

    Attributes:
        value: a type of device, or a precision.
        why: the fact that decided it.
        gpu_unused: True where there is a CUDA device that cannot be used.
    """

    value: str
    why: str
    gpu_unused: bool = False


def look_for_gpus() -> tuple[int, str]:
    """Returns the number of CUDA devices that PyTorch can use and, if there is none, its reason (an old driver, perhaps)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    reasons = [" ".join(str(warning.message).split()) for warning in caught]
    return count, f" ({reasons[0]})" if reasons and not count else ""


def missing_kernels(device: torch.device) -> str:
    """Returns why the operators cannot run on a GPU, empty if they can. Runs a small one."""
    if not library.has_cuda():
        return WITHOUT_CUDA
    try:
        ops.nms(torch.zeros(1, 4, device=device), torch.ones(1, device=device), 0.5, 1).cpu()
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        # PyTorch before 2.8 does not give CUDA's code: there every failure counts.
        if getattr(error, "error_code", NOT_COMPILED[0]) not in NOT_COMPILED:
            raise
        text = str(error).splitlines()[0]
        capability = "{}.{}".format(*torch.cuda.get_device_capability(device))
        build = f"to build for it: TORCH_CUDA_ARCH_LIST={capability} and then {library.BUILD}"
        return f"{torch.cuda.get_device_name(device)} (compute capability {capability}): {text}; {build}"
    return ""


def auto_device() -> AutoChoice:
    """Chooses ``cuda`` where PyTorch sees a CUDA device and the operators were built for it, else ``cpu``."""
    count, reason = look_for_gpus()
    if not count:
        return AutoChoice("cpu", f"PyTorch sees no CUDA device{reason}")
    if problem := missing_kernels(torch.device("cuda")):
        return AutoChoice("cpu", f"a CUDA device is there but not used: {problem}", gpu_unused=True)
    return AutoChoice("cuda", torch.cuda.get_device_name())


def choose_device(name: str) -> torch.device:
    """Returns a device that exists and that the operators were built for.

    ``auto`` warns where there is a CUDA device but the operators were not built for it: without nvcc and so without CUDA, or
    for other architectures.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: the name is unknown, or names a CUDA device that cannot be used; there is no silent fall-back to the CPU.
    """
    if name == "auto":
        choice = auto_device()
        if choice.gpu_unused:
            warnings.warn(choice.why, stacklevel=2)
        return torch.device(choice.value)
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r}: expected auto, cpu, cuda or cuda:N")
    if device.type == "cpu":
        return device
    count, reason = look_for_gpus()
    if (device.index or 0) >= count:
        raise InputError(f"device {name!r}: not available, PyTorch sees {count} CUDA devices{reason}")
    if problem := missing_kernels(device):
        raise InputError(f"device {name!r}: {problem}")
    return device


def auto_precision(device: torch.device) -> AutoChoice:
    """Chooses the precision of a device by the table above."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return AutoChoice("fp16" if major >= 7 else "fp32", f"compute capability {major}.{minor}")
    if unit := cpu_bf16_unit():
        return AutoChoice("bf16", f"the CPU has {unit}")
    return AutoChoice("fp32", f"the CPU has none of {', '.join(BF16_UNITS)}")


def cpu_bf16_unit() -> str | None:
    """Returns Linux' name of the unit with which this CPU multiplies bfloat16 in hardware, or None."""
    try:
        flags = re.search(r"^flags[^:\n]*:(.*)", CPU_FACTS.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return None
    return next((unit for unit in BF16_UNITS if flags and unit in flags[1].split()), None)
