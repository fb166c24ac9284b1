# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest
import torch

from fcis_ros.errors import InputError
from fcis_ros.training import mixed_precision
from fcis_ros.training.mixed_precision import autocasting, training_precision

CPU = torch.device("cpu")
PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "unit", "width", "chosen"),
    [
        ("auto", "avx512_bf16", 32, "bf16"),
        ("auto", "amx_bf16", 16, "bf16"),
        ("auto", "amx_bf16", 8, "fp32"),
        ("auto", None, 32, "fp32"),
        ("fp32", "amx_bf16", 32, "fp32"),
        ("bf16", None, 32, "bf16"),
    ],
)
def test_training_precision_on_cpu_depends_on_name_unit_and_width(monkeypatch, name, unit, width, chosen):
    monkeypatch.setattr(mixed_precision, "cpu_bf16_unit", lambda: unit)
    assert training_precision(name, CPU, width) == chosen


@pytest.mark.parametrize(("capability", "chosen"), [((7, 5), "fp32"), ((8, 0), "bf16"), ((12, 0), "bf16")])
def test_training_precision_auto_depends_on_gpu(monkeypatch, capability, chosen):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert training_precision("auto", torch.device("cuda"), 8) == chosen


def test_training_precision_bf16_of_narrow_model_on_cpu_raises():
    with pytest.raises(InputError, match="width must be at least 16, it is 8"):
        training_precision("bf16", CPU, 8)


@pytest.mark.parametrize(("name", "width", "dtype"), [("bf16", 16, torch.bfloat16), ("fp32", 8, torch.float32)])
def test_autocasting_convolves_in_the_precision(name, width, dtype):
    with autocasting(name, CPU, width):
        assert torch.nn.functional.conv2d(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 1, 1)).dtype == dtype


def test_autocasting_bf16_of_narrow_model_on_cpu_raises():
    with pytest.raises(InputError, match="width must be at least 16, it is 8"), autocasting("bf16", CPU, 8):
        pytest.fail("oneDNN's backward kernels may write beyond their buffers here")


def test_autocasting_is_the_only_code_that_trains_in_bf16():
    """A path that turned bfloat16 on by itself would not ask for the width of the model; one that turns it off may."""
    folders = [PROJECT / name for name in ("fcis_ros", "experiments", "benchmarks", "tools", "examples")]
    turns_on = re.compile(r"autocast\((?!\"cpu\", enabled=False\))")
    users = [file.name for folder in folders for file in folder.rglob("*.py") if turns_on.search(file.read_text())]
    assert users == ["mixed_precision.py"]
