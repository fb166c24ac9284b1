# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What ``auto`` chooses follows from the hardware: every kind of machine, described by what it says of itself."""

import warnings

import pytest
import torch

from fcis_ros import ops
from fcis_ros.errors import InputError
from fcis_ros.model import device
from fcis_ros.model.device import AutoChoice, auto_device, auto_precision, choose_device, cpu_bf16_unit
from fcis_ros.ops import library

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
ZEN_5 = "processor\t: 0\nflags\t\t: fpu sse2 avx2 avx512f avx512_bf16 clzero\nbugs\t\t:\n"
SAPPHIRE_RAPIDS = "flags : fpu avx512f avx512_bf16 amx_bf16 amx_tile\n"
SKYLAKE = "processor\t: 0\nflags\t\t: fpu sse2 avx2 avx512f\n\nflags\t\t: fpu\n"
GRAVITON = "processor\t: 0\nFeatures\t: fp asimd bf16\n"


@pytest.mark.parametrize(
    ("facts", "unit", "precision"),
    [(ZEN_5, "avx512_bf16", "bf16"), (SAPPHIRE_RAPIDS, "amx_bf16", "bf16"), (SKYLAKE, None, "fp32"), (GRAVITON, None, "fp32"),
     ("", None, "fp32"), (None, None, "fp32")],
)  # fmt: skip
def test_auto_precision_of_cpus(facts, unit, precision, tmp_path, monkeypatch):
    if facts is not None:
        (tmp_path / "cpuinfo").write_text(facts)
    monkeypatch.setattr(device, "CPU_FACTS", tmp_path / "cpuinfo")
    assert cpu_bf16_unit() == unit
    choice = auto_precision(CPU)
    assert choice.value == precision and (unit or "none of amx_bf16, avx512_bf16") in choice.why


@pytest.mark.parametrize(
    ("capability", "precision"), [((5, 2), "fp32"), ((6, 1), "fp32"), ((7, 0), "fp16"), ((7, 5), "fp16"), ((9, 0), "fp16")]
)
def test_auto_precision_of_gpus(capability, precision, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert auto_precision(CUDA) == AutoChoice(precision, f"compute capability {capability[0]}.{capability[1]}")


@pytest.mark.parametrize(
    ("name", "says"),
    [("gpu", "expected auto, cpu, cuda or cuda:N"), ("meta", "expected auto, cpu, cuda or cuda:N"),
     ("cuda:x", "expected auto, cpu, cuda or cuda:N"), ("cuda:99", "not available, PyTorch sees [0-9]+ CUDA devices")],
)  # fmt: skip
def test_choose_device_unknown_or_missing_is_refused(name, says):
    with pytest.raises(InputError, match=f"^device '{name}': {says}"):
        choose_device(name)


@pytest.fixture
def gpu(monkeypatch):
    """A CUDA device that PyTorch sees, and operators that were built with CUDA."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "NVIDIA Old")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (6, 1))
    monkeypatch.setattr(library, "has_cuda", lambda: True)


def test_choose_device_operators_without_cuda_warns_or_refuses(gpu, monkeypatch):
    """PyTorch from PyPI brings CUDA, a machine need not have nvcc."""
    monkeypatch.setattr(library, "has_cuda", lambda: False)
    with pytest.warns(UserWarning, match="a CUDA device is there but not used: .* built without CUDA"):
        assert choose_device("auto").type == "cpu"
    with pytest.raises(InputError, match="device 'cuda': the operators were built without CUDA"):
        choose_device("cuda")
    monkeypatch.setattr(library, "has_cuda", lambda: True)
    monkeypatch.setattr(device, "missing_kernels", lambda device: "")
    assert choose_device("auto").type == choose_device("cuda").type == "cuda"
    assert auto_device() == AutoChoice("cuda", "NVIDIA Old")


def test_choose_device_no_gpu_is_the_cpu_without_warning(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert auto_device() == AutoChoice("cpu", "PyTorch sees no CUDA device") and choose_device("auto") == CPU


def test_choose_device_old_driver_gives_pytorchs_reason(monkeypatch):
    """PyTorch warns, and has no devices: the reason is passed on in one line."""
    said = "CUDA initialization: The NVIDIA driver on your system is too old\n(found version 11040). Please update."

    def unavailable() -> bool:
        warnings.warn(said, stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", unavailable)
    line = " ".join(said.split())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert auto_device() == AutoChoice("cpu", f"PyTorch sees no CUDA device ({line})")
    with pytest.raises(InputError) as raised:
        choose_device("cuda")
    assert str(raised.value) == f"device 'cuda': not available, PyTorch sees 0 CUDA devices ({line})"


@pytest.fixture
def old_gpu(gpu, monkeypatch):
    """A GPU whose kernels end with an error of the test's."""
    errors: list[Exception] = []

    def nms(*_):
        raise errors[0]

    monkeypatch.setattr(ops, "nms", nms)
    monkeypatch.setattr(torch, "zeros", lambda *_, device: torch.empty(0))
    monkeypatch.setattr(torch, "ones", lambda *_, device: torch.empty(0))
    return errors


def cuda_error(text: str, code: int | None) -> RuntimeError:
    """An error as PyTorch raises it; before 2.8 it has no code."""
    error = RuntimeError(f"CUDA error: {text}\nCUDA kernel errors might be asynchronously reported")
    if code is not None:
        error.error_code = code
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [("no kernel image is available for execution on the device", 209), ("no kernel image is available", None),
     ("the provided PTX was compiled with an unsupported toolchain.", 222),
     ("CUDA driver version is insufficient for CUDA runtime version", 35)],
)  # fmt: skip
def test_choose_device_gpu_without_kernels_warns_or_refuses(old_gpu, error, code):
    old_gpu.append(cuda_error(error, code))
    line = f"NVIDIA Old (compute capability 6.1): CUDA error: {error}; to build for it: TORCH_CUDA_ARCH_LIST=6.1 and then"
    with pytest.raises(InputError) as raised:
        choose_device("cuda")
    assert str(raised.value).startswith(f"device 'cuda': {line} `make setup`") and "\n" not in str(raised.value)
    with pytest.warns(UserWarning, match="a CUDA device is there but not used: NVIDIA Old"):
        assert choose_device("auto") == CPU


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("CUDA out of memory"), cuda_error("an illegal address", 700)])
def test_choose_device_other_gpu_errors_are_raised(old_gpu, error):
    """Which device is used follows from the hardware, not from the moment."""
    old_gpu.append(error)
    for name in ("auto", "cuda"):
        with pytest.raises(type(error), match=str(error).splitlines()[0]):
            choose_device(name)


@pytest.mark.cuda
def test_missing_kernels_of_this_gpu_is_empty():
    assert device.missing_kernels(CUDA) == ""
