# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from fcis_ros.errors import InputError
from fcis_ros.training import mixed_precision
from fcis_ros.training.mixed_precision import training_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("unit", "width", "chosen"),
    [("avx512_bf16", 32, "bf16"), ("amx_bf16", 16, "bf16"), ("amx_bf16", 8, "fp32"), (None, 32, "fp32")],
)
def test_auto_follows_from_the_cpu_and_the_width(monkeypatch, unit, width, chosen):
    monkeypatch.setattr(mixed_precision, "cpu_bf16_unit", lambda: unit)
    assert training_precision("auto", CPU, width) == chosen


@pytest.mark.parametrize(("capability", "chosen"), [((7, 5), "fp32"), ((8, 0), "bf16"), ((12, 0), "bf16")])
def test_auto_follows_from_the_gpu(monkeypatch, capability, chosen):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert training_precision("auto", torch.device("cuda"), 8) == chosen


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_a_name_is_taken_at_its_word(monkeypatch, name):
    monkeypatch.setattr(mixed_precision, "cpu_bf16_unit", lambda: None)
    assert training_precision(name, CPU, 32) == name


def test_narrow_models_are_refused_where_the_library_fails():
    with pytest.raises(InputError, match="width must be at least 16, it is 8"):
        training_precision("bf16", CPU, 8)
