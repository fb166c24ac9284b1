"""The whole frame, from the array to up to 100 instances: the default model and a ResNet-101 with COCO's classes."""

import contextlib
import statistics

import numpy as np
import torch

from benchmarks.measure import Row, device_name, medians
from fcis_ros import Predictor, ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.preprocess import preprocess
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


def r101_coco(image: np.ndarray, device: torch.device) -> Predictor:
    """The released architecture with random weights.

    BatchNorm gets the statistics of this image, as it would in training: without them the activations of so deep a network
    explode, no proposal is finite and nothing behind the RPN has anything to do.
    """
    torch.manual_seed(0)
    model = FCIS(ModelConfig(class_names=tuple(f"class{i}" for i in range(80)), anchor_scales=(4, 8, 16, 32)))
    for module in model.backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.backbone.train()(preprocess(image, model.config)[0])
    return Predictor(model, "r101_coco", device)


def rows(device: torch.device) -> list[Row]:
    image = np.random.default_rng(0).integers(0, 256, (600, 1000, 3), dtype=np.uint8)
    found = []
    for name, predictor, frame in (
        ("road", Predictor.from_checkpoint(device=str(device)), image[:360, :480].copy()),
        ("r101_coco", r101_coco(image, device), image),
    ):
        def eager(predictor=predictor, frame=frame):
            with plain_pytorch():
                predictor(frame)

        stages: dict[str, list[float]] = {}

        def ours(predictor=predictor, frame=frame, stages=stages):
            assert len(predictor(frame)) > 0 and predictor.ignored_rois == 0  # or there was less to do than there should be
            for stage, own in predictor.stage_ms.items():
                stages.setdefault(stage, []).append(own)

        times = medians([ours, eager], device, seconds=10.0)
        found.append(Row("frame", name, device_name(device), predictor.precision, times[0], times[1] / times[0]))
        for stage, all_times in stages.items():
            own = statistics.median(all_times)
            found.append(Row(f"frame: {stage}", name, device_name(device), predictor.precision, own))
    return found
