"""The whole frame, from the array to the instances: the default model and a ResNet-101 with COCO's classes (random weights)."""

import contextlib

import numpy as np
import torch

from benchmarks.measure import Row, device_name, medians
from fcis_ros import Predictor, ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.fcis import FCIS
from fcis_ros.ops import reference


@contextlib.contextmanager
def plain_pytorch():
    """The model on the reference operators."""
    compiled = {name: getattr(ops, name) for name in ops.__all__}
    try:
        for name in ops.__all__:
            setattr(ops, name, getattr(reference, name))
        yield
    finally:
        for name, function in compiled.items():
            setattr(ops, name, function)


def r101_coco(device: torch.device) -> Predictor:
    """The released architecture. Random weights: the time of the network does not depend on them, that of the voting does."""
    torch.manual_seed(0)
    model = FCIS(ModelConfig(class_names=tuple(f"class{i}" for i in range(80)), anchor_scales=(4, 8, 16, 32)))
    return Predictor(model, "r101_coco", device)


def rows(device: torch.device) -> list[Row]:
    image = np.random.default_rng(0).integers(0, 256, (600, 1000, 3), dtype=np.uint8)
    found = []
    for name, predictor, frame in (
        ("road", Predictor.from_checkpoint(device=str(device)), image[:360, :480].copy()),
        ("r101_coco", r101_coco(device), image),
    ):
        def eager(predictor=predictor, frame=frame):
            with plain_pytorch():
                predictor(frame, 0.05)

        times = medians([lambda p=predictor, f=frame: p(f, 0.05), eager], device, seconds=5.0)
        found.append(Row("frame", name, device_name(device), predictor.precision, times[0], times[1] / times[0]))
        for stage, own in predictor.stage_ms.items():
            found.append(Row(f"frame: {stage}", name, device_name(device), predictor.precision, own))
    return found
