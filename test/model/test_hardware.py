# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What ``auto`` chooses follows from the hardware: every kind of machine, described by what it says of itself."""

import pytest
import torch

from fcis_ros.errors import InputError
from fcis_ros.model import hardware
from fcis_ros.model.hardware import Choice, auto_device, auto_precision, choose_device, cpu_bf16_unit
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
def test_cpus(facts, unit, precision, tmp_path, monkeypatch):
    if facts is not None:
        (tmp_path / "cpuinfo").write_text(facts)
    monkeypatch.setattr(hardware, "CPU_FACTS", tmp_path / "cpuinfo")
    assert cpu_bf16_unit() == unit
    choice = auto_precision(CPU)
    assert choice.value == precision and (unit or "none of amx_bf16, avx512_bf16") in choice.why


@pytest.mark.parametrize(
    ("capability", "precision"), [((5, 2), "fp32"), ((6, 1), "fp32"), ((7, 0), "fp16"), ((7, 5), "fp16"), ((9, 0), "fp16")]
)
def test_gpus(capability, precision, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert auto_precision(CUDA) == Choice(precision, f"compute capability {capability[0]}.{capability[1]}")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta", "cuda:x"])
def test_no_silent_fall_back(name):
    with pytest.raises(InputError, match=name):
        choose_device(name)


def test_a_gpu_that_the_operators_were_not_built_for(monkeypatch):
    """PyTorch from PyPI brings CUDA, a machine need not have nvcc."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA Thing")
    monkeypatch.setattr(library, "has_cuda", lambda: False)
    with pytest.warns(UserWarning, match="a CUDA device is there but not used: .* built without CUDA"):
        assert choose_device("auto").type == "cpu"
    with pytest.raises(InputError, match="device 'cuda': the operators were built without CUDA"):
        choose_device("cuda")
    monkeypatch.setattr(library, "has_cuda", lambda: True)
    assert choose_device("auto").type == choose_device("cuda").type == "cuda"
    assert auto_device() == Choice("cuda", "NVIDIA Thing")


def test_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert auto_device() == Choice("cpu", "PyTorch sees no CUDA device") and choose_device("auto") == CPU
