import numpy as np
import pytest
import torch
from torch import nn

import fcis_ros
from fcis_ros.errors import InputError
from fcis_ros.model import precision

CPU = torch.device("cpu")


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1))


def test_auto_takes_the_fastest_that_the_hardware_has(monkeypatch):
    image = torch.zeros(1, 3, 8, 8)
    seconds = {torch.float32: 1.0, torch.bfloat16: 0.5}
    monkeypatch.setattr(precision, "_seconds", lambda network, image: seconds[image.dtype])
    monkeypatch.setattr(precision, "candidates", lambda device: ["fp32", "bf16"])
    assert precision.fastest(network(), image) == "bf16"
    seconds[torch.bfloat16] = 0.95  # too little to be worth the rounding
    assert precision.fastest(network(), image) == "fp32"
    seconds[torch.bfloat16] = 0.5
    monkeypatch.setattr(precision, "candidates", lambda device: ["fp32"])
    assert precision.fastest(network(), image) == "fp32"


def test_only_convolutions_are_cast_and_the_measurement_leaves_float32():
    model = network()
    model.register_buffer("anchors", torch.ones(4))
    precision.cast(model, "bf16")
    assert model[0].weight.dtype == torch.bfloat16 and model.anchors.dtype == torch.float32
    precision.cast(model, "fp32")
    assert model[0].weight.dtype == torch.float32
    assert precision.candidates(CPU)[0] == "fp32"


def test_unknown_precision_is_refused():
    with pytest.raises(InputError, match="precision 'fp8': expected auto, fp32, bf16, fp16"):
        fcis_ros.Predictor.from_checkpoint(device="cpu", precision="fp8")


def test_bf16_finds_what_fp32_finds():
    """The default model on a synthetic frame, in software where the CPU has no bfloat16."""
    from fcis_ros.data.synthetic import SyntheticScenes

    image = SyntheticScenes(0).sample(3).image
    exact = fcis_ros.Predictor.from_checkpoint(device="cpu", precision="fp32")(image, 0.5)
    rounded = fcis_ros.Predictor.from_checkpoint(device="cpu", precision="bf16")(image, 0.4)
    assert len(exact)
    for box, label, score in zip(exact.boxes, exact.labels, exact.scores, strict=True):
        near = (np.abs(rounded.boxes - box).max(axis=1) <= 6) & (rounded.labels == label)
        assert near.any() and np.abs(rounded.scores[near] - score).min() < 0.1
