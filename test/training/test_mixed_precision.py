# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from fcis_ros.errors import InputError
from fcis_ros.training import mixed_precision
from fcis_ros.training.mixed_precision import training_precision

CPU = torch.device("cpu")


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
