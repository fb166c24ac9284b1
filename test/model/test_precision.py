# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import nn

import fcis_ros
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint, device
from fcis_ros.model.convolution import fold_batch_norm
from fcis_ros.model.precision import DTYPES, cast, choose_precision, convolving

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def predictor(precision: str) -> fcis_ros.Predictor:
    return fcis_ros.Predictor.from_checkpoint(device="cpu", precision=precision)


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().view(torch.int16 if tensor.element_size() == 2 else torch.int32)


@pytest.mark.parametrize(("unit", "expected"), [("avx512_bf16", "bf16"), (None, "fp32")])
def test_choose_precision_auto_follows_from_the_cpu(unit, expected, monkeypatch):
    monkeypatch.setattr(device, "cpu_bf16_unit", lambda: unit)
    assert [predictor("auto").precision for _ in range(3)] == [expected] * 3


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_cast_rounds_the_stored_weights_once(precision):
    stored = checkpoint.load(checkpoint.default_checkpoint())
    fold_batch_norm(stored)
    used = predictor(precision).model.state_dict()
    convolutions = [name for name, module in stored.named_modules() if isinstance(module, nn.Conv2d)]
    names = [f"{name}.{part}" for name in convolutions for part in ("weight", "bias")]
    assert set(names) == set(used) and len(names) > 50
    for name, value in stored.state_dict().items():
        assert torch.equal(bits(used[name]), bits(value.to(DTYPES[precision]))), name


def test_cast_leaves_buffers_in_float32():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    model.register_buffer("anchors", torch.ones(4))
    cast(model, "bf16")
    assert model[0].weight.dtype == torch.bfloat16 and model.anchors.dtype == torch.float32


def test_choose_precision_unavailable_is_refused():
    with pytest.raises(InputError, match="precision 'fp8': expected auto, fp32, tf32, bf16, fp16"):
        predictor("fp8")
    with pytest.raises(InputError, match="precision 'tf32': only GPUs have it, the device is cpu"):
        predictor("tf32")
    assert choose_precision("tf32", CUDA) == "tf32"


@pytest.mark.parametrize("before", [True, False])
def test_convolving_sets_tf32_and_restores_the_flag(before, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", before)
    for precision in DTYPES:
        with pytest.raises(ZeroDivisionError), convolving(precision):
            assert torch.backends.cudnn.allow_tf32 == (precision == "tf32")
            raise ZeroDivisionError
        assert torch.backends.cudnn.allow_tf32 == before
