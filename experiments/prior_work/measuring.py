# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a head costs: once per image, and per ROI, at the default model's scale and at that of the papers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.cases import random_rois
from benchmarks.measure import device_name, medians, versions
from benchmarks.operators import resident_peak
from benchmarks.patent import processor_medians
from experiments.prior_work.heads import NAMES, Scale, make_head
from experiments.prior_work.instance_fcn import InstanceFcn
from fcis_ros.model.backbones.resnet import ResNet
from fcis_ros.model.convolution import fold_batch_norm
from fcis_ros.model.precision import convolving

ROIS = (100, 300, 1000, 2000)
ROUNDS = 3  # calls of each, in turns


@dataclass(frozen=True)
class Cost:
    """What a head takes on one image.

    Attributes:
        scale: ``road`` or ``coco``.
        head: name of the head, one of ``NAMES``; ``backbone`` for conv1 to conv5, once.
        rois: number of ROIs; 0: what is computed once per image, given conv5.
        milliseconds: median of a call; on a CPU, of one thread's processor time.
        megabytes: most memory beyond weights and inputs.
    """

    scale: str
    head: str
    rois: int
    milliseconds: float
    megabytes: float


@dataclass(frozen=True)
class Calls:
    """What is measured of a head: ``dense`` once per image, ``per_roi[R]`` on what it gave."""

    dense: Callable[[], object]
    per_roi: dict[int, Callable[[], object]]


def make_backbone(scale: Scale, device: torch.device) -> ResNet:
    """Random weights, normalisation folded as for inference."""
    torch.manual_seed(0)
    backbone = ResNet(scale.config)
    fold_batch_norm(backbone)
    return backbone.eval().to(device, memory_format=torch.channels_last)


def make_image(scale: Scale, device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, scale.height, scale.width, generator=generator)
    return image.to(device, memory_format=torch.channels_last)


@torch.inference_mode()
def prepare(name: str, scale: Scale, counts: tuple[int, ...], device: torch.device) -> Calls:
    """A head with random weights on random conv5 maps; for InstanceFCN conv5 of the image itself is not counted, either."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    height, width, stride = scale.height, scale.width, scale.config.stride
    head = make_head(name, scale).eval().to(device)
    c5 = torch.rand(1, scale.c5, -(-height // stride), -(-width // stride), generator=generator)
    c5 = c5.to(device, memory_format=torch.channels_last)
    if name == "instance_fcn":
        network = InstanceFcn(scale.config, head, scale.levels)
        network.backbone, image = make_backbone(scale, device), make_image(scale, device)

        def dense():
            return [
                head.maps(c5 if level == 1 else network.level(image, level), stride / level, height, width)
                for level in scale.levels
            ]

        maps = head.maps(c5, stride, height, width)
        cells = maps.objectness.numel()
        rois = [torch.randint(cells, (count,), generator=generator).to(device) for count in counts]
    else:
        maps, dense = head.maps(c5), lambda: head.maps(c5)
        rois = [random_rois(count, height, width, generator).to(device) for count in counts]
    return Calls(dense, {count: lambda boxes=boxes: head(maps, boxes) for count, boxes in zip(counts, rois, strict=True)})


def everything(scales: dict[str, Scale], device: torch.device, counts: tuple[int, ...]) -> dict[str, Any]:
    """What was measured, on what, with what; JSON types."""
    hardware = device_name(device) if device.type == "cuda" else f"{device_name(device).split(',')[0]}, one thread"
    with convolving("fp32"):  # fully connected layers compute so, too
        costs = [asdict(cost) for cost in time_all(scales, device, counts)]
    about = {
        key: {
            "title": scale.title,
            "classes": len(scale.config.class_names),
            "height": scale.height,
            "width": scale.width,
            "parameters": {name: parameters(name, scale) for name in NAMES},
        }
        for key, scale in scales.items()
    }
    return {"device": hardware, **versions(), "scales": about, "costs": costs}


@torch.inference_mode()
def time_all(scales: dict[str, Scale], device: torch.device, counts: tuple[int, ...]) -> list[Cost]:
    """All heads in turns; memory as well."""

    def times(functions: list[Callable[[], object]]) -> list[float]:
        return medians(functions, device) if device.type == "cuda" else processor_medians(functions, ROUNDS)

    costs, threads = [], torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for key, scale in scales.items():
            memory = {name: peaks(key, name, scale, counts, device) for name in NAMES}
            calls = {name: prepare(name, scale, counts, device) for name in NAMES}
            backbone, image = make_backbone(scale, device), make_image(scale, device)
            costs.append(Cost(key, "backbone", 0, times([lambda b=backbone, i=image: b(i)])[0], 0.0))
            for count in (0, *counts):
                turns = times([call.per_roi[count] if count else call.dense for call in calls.values()])
                costs += [Cost(key, name, count, ms, memory[name][count]) for name, ms in zip(NAMES, turns, strict=True)]
                print(key, count, "ROIs:", *(f"{name} {ms:.1f} ms" for name, ms in zip(NAMES, turns, strict=True)), flush=True)
        return costs
    finally:
        torch.set_num_threads(threads)


def peaks(key: str, name: str, scale: Scale, counts: tuple[int, ...], device: torch.device) -> dict[int, float]:
    """{ROIs: MB} beyond weights and inputs; on a CPU in a separate process, which returns freed memory at once (Linux)."""
    if device.type == "cuda":
        return peaks_here(prepare(name, scale, counts, device), device)
    large = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    config = json.dumps(scale.config.to_dict())
    command = [sys.executable, "-m", "experiments.prior_work.memory", key, name, config, *map(str, counts)]
    done = subprocess.run(command, env={**os.environ, **large}, check=True, capture_output=True, text=True)
    return {int(count): value for count, value in json.loads(done.stdout).items()}


@torch.inference_mode()
def peaks_here(calls: Calls, device: torch.device) -> dict[int, float]:
    functions = {0: calls.dense, **calls.per_roi}
    functions[min(calls.per_roi)]()  # libraries set themselves up
    return {count: peak(function, device) for count, function in functions.items()}


def peak(function: Callable[[], object], device: torch.device) -> float:
    """MB that a call takes at most on top of what is there."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts again from what is resident now
    before = resident_peak()
    function()
    return (resident_peak() - before) / 1024


def parameters(name: str, scale: Scale) -> dict[str, int]:
    """Parameters of the head, of its per-ROI part, and of the backbone."""
    with torch.device("meta"):
        head, backbone = make_head(name, scale), ResNet(scale.config)

    def count(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    return {"head": count(head), "per_roi": head.per_roi_parameters(), "backbone": count(backbone)}
