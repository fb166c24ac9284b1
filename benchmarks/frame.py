# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The whole frame, from the array to up to 100 instances: the default model and a ResNet-101 with COCO's classes."""

import contextlib
import copy
import dataclasses
import statistics
from collections.abc import Callable

import numpy as np
import torch

from benchmarks import cases, plain
from benchmarks.measure import Row, device_name, medians, replayed
from benchmarks.operators import compare
from fcis_ros import Predictor, ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.fcis import FCIS, run_capacity
from fcis_ros.model.frame_graph import FrameGraphs
from fcis_ros.model.packing import PaddedInstances
from fcis_ros.model.precision import DTYPES, convolving
from fcis_ros.model.preprocess import Original, preprocess
from fcis_ros.model.voting import assign_votes, vote

PROPOSALS = (300, 1000, 2000)
INSTANCES = (1, 10, 100)
TOGETHER = 8


@contextlib.contextmanager
def plain_pytorch():
    """The model on the operators in plain PyTorch."""
    compiled = {name: getattr(ops, name) for name in ops.__all__}
    try:
        for name in ops.__all__:
            setattr(ops, name, getattr(plain, name))
        yield
    finally:
        for name, function in compiled.items():
            setattr(ops, name, function)


def r101_coco(image: np.ndarray, device: torch.device) -> Predictor:
    """The released architecture with random weights.

    BatchNorm gets the statistics of this image, as it would in training: without them the activations of so deep a network
    explode, no proposal is finite and the stages after the RPN have no work.
    """
    torch.manual_seed(0)
    model = FCIS(ModelConfig(class_names=tuple(f"class{i}" for i in range(80)), anchor_scales=(4, 8, 16, 32)))
    for module in model.backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.backbone.train()(preprocess(image, model.config)[0])
    return Predictor(model, "r101_coco", device, "auto" if device.type == "cuda" else "fp32")


def captured(predictor: Predictor, frame: np.ndarray) -> float:
    """Milliseconds of everything between upload and download, in a CUDA graph."""
    tensor, original = preprocess(frame, predictor.config, predictor.device)
    tensor = tensor.to(DTYPES[predictor.precision])
    room = run_capacity(predictor.device, frame.shape[1], predictor.config.max_instances)

    def run() -> PaddedInstances:
        with torch.inference_mode(), convolving(predictor.precision):
            return predictor.model.detect(predictor.model.dense(tensor), 0, original, 0.0, room)

    return replayed(run, predictor.device)


def from_proposals(case: cases.Case) -> Callable[[], PaddedInstances]:
    """Proposals to voted run lengths of up to 100 instances: all that is done per ROI."""
    names = tuple(f"class{i}" for i in range(1, case.classes))
    config = ModelConfig(class_names=names, backbone="resnet18", width=8)  # only the settings of the heads matter
    model, proposals = FCIS(config).to(case.rois.device), case.rois[: len(case.rois) // 2, 1:].contiguous()
    original = Original(case.height, case.width, 1.0)
    room = run_capacity(case.rois.device, case.width, config.max_instances)

    def run() -> PaddedInstances:
        with torch.inference_mode():
            fused = model.fuse_rounds(proposals, case.score_maps, case.box_maps, case.height, case.width)
            return vote(assign_votes(fused, original, config, 0.0), fused.masks, original, config, room)

    return run


def rows(device: torch.device) -> list[Row]:
    """Frames, their stages, everything per ROI at once; several at once; the frame with more proposals and more instances."""
    image = np.random.default_rng(0).integers(0, 256, (600, 1000, 3), dtype=np.uint8)
    measured = []
    for make in (cases.road, cases.r101_coco):
        case = make(torch.float16 if device.type == "cuda" else torch.float32, device)
        run = from_proposals(case)

        def eager(run=run):
            with plain_pytorch():
                run()

        measured.append(compare("proposals to run lengths", case.name, case.score_maps.dtype, run, eager, device))
    road = Predictor.from_checkpoint(device=str(device))
    large = r101_coco(image, device)
    small, message = image[:360, :480].copy(), np.tile(image, (2, 2, 1))[:1080, :1920].copy()
    for predictor, name, frame in ((road, "road", small), (road, "road, 1080p", message), (large, "r101_coco", image)):
        measured += frame_rows(predictor, name, frame, device)
    measured.append(together(road, "road", small, device))
    if device.type == "cuda":
        measured.append(together(large, "r101_coco", image, device))
    more_proposals = {f"{count} proposals": {"rpn_post_nms": count} for count in PROPOSALS}
    more_instances = {f"{count} instances": {"max_instances": count} for count in INSTANCES}
    measured += varied(large, "r101_coco", image, more_proposals, device)
    measured += varied(road, "road, 1080p", message, more_instances, device)
    return measured


def together(predictor: Predictor, name: str, frame: np.ndarray, device: torch.device) -> Row:
    """Time of a frame when several are computed at once."""
    (time,) = medians([lambda: predictor.predict([frame] * TOGETHER)], device, seconds=10.0)
    return Row(f"frame: one of {TOGETHER} at once", name, device_name(device), predictor.precision, time / TOGETHER)


def varied(predictor: Predictor, name: str, frame: np.ndarray, changes: dict[str, dict], device: torch.device) -> list[Row]:
    """The frame with other settings, measured alternately."""
    variants = [changed(predictor, **change) for change in changes.values()]
    times = medians([lambda predictor=variant: predictor(frame) for variant in variants], device, seconds=20.0)
    machine = (device_name(device), predictor.precision)
    return [Row("frame", f"{name}, {change}", *machine, time) for change, time in zip(changes, times, strict=True)]


def changed(predictor: Predictor, **settings: int) -> Predictor:
    """The same weights with other settings and separate graphs."""
    variant = copy.copy(predictor)
    variant.config = dataclasses.replace(predictor.config, **settings)
    variant.model = copy.copy(predictor.model)
    variant.model.config = variant.config
    if predictor.graphs is not None:
        variant.graphs = FrameGraphs(variant.model, predictor.precision, predictor.device)
    return variant


def frame_rows(predictor: Predictor, name: str, frame: np.ndarray, device: torch.device) -> list[Row]:
    """The frame as the node computes it, and with plain PyTorch operators; its stages are measured without a graph."""
    stages: dict[str, list[float]] = {}
    step_by_step = copy.copy(predictor)
    step_by_step.graphs = None

    def ours() -> None:
        (prediction,) = predictor.predict([frame])
        assert len(prediction.instances) > 0 and prediction.ignored_rois == 0  # otherwise the frame needs less work

    def in_stages() -> None:
        for stage, milliseconds in step_by_step.predict([frame])[0].stage_ms.items():
            stages.setdefault(stage, []).append(milliseconds)

    def eager() -> None:
        with plain_pytorch():
            step_by_step(frame)

    mine, _, theirs = medians([ours, in_stages, eager], device, seconds=10.0)
    machine = (name, device_name(device), predictor.precision)
    measured = [Row("frame", *machine, mine, theirs / mine)]
    if device.type == "cuda":
        measured.append(Row("frame: upload to download, captured", *machine, captured(predictor, frame)))
    for stage, all_times in stages.items():
        measured.append(Row(f"frame: {stage}", *machine, statistics.median(all_times)))
    return measured
