# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One way of training and measuring for all three: same batches, same optimiser and schedule, same evaluation."""

import dataclasses
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from experiments.prior_work.network import Network
from fcis_ros.metrics.average_precision import Table, measure
from fcis_ros.metrics.coco_results import to_annotations, to_results
from fcis_ros.metrics.matching import match_image
from fcis_ros.model.checkpoint import open_tensors, read_metadata
from fcis_ros.model.precision import convolving
from fcis_ros.model.predictor import Predictor
from fcis_ros.structures import Sample
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.batches import Batches, image_numbers
from fcis_ros.training.optimiser import CLIP_NORM
from fcis_ros.training.state import RunState, new_state
from fcis_ros.training.train_config import TrainConfig

LOSSES = ("proposal_class", "proposal_box", "roi_class", "roi_mask", "roi_box")
LOG_EVERY = 50  # steps
RATE = 0.005  # per image of a batch, as in config/train_road_r18.json


def budget(path: str | Path, steps: int, batch: int, crop: tuple[int, int]) -> TrainConfig:
    """The default model's run with another budget, on photographs alone."""
    config, warmup = TrainConfig.read(path), max(min(100, steps // 10), 1)
    return dataclasses.replace(
        config, steps=steps, batch=batch, lr=RATE * batch, crop=crop, warmup=warmup, milestones=(0.7, 0.9), synthetic=0.0
    )


def train(
    network: Network, config: TrainConfig, photos: Sequence[Sample], device: torch.device, workers: int = 1
) -> tuple[RunState, dict[str, Any]]:
    """Trains a network; returns its state and what there is to say about the run."""
    state = new_state(network, config, device)
    batches = Batches(config, photos, render=lambda index: photos[index])  # nothing is rendered
    log: list[dict[str, float]] = []
    wall, processor = time.perf_counter(), time.process_time()
    with convolving("fp32"):
        for items in batches.load(0, workers):
            losses = step(state, items, config)
            if state.step % LOG_EVERY == 0 or state.step == config.steps:
                log.append({"step": state.step, **losses})
                values = (f"{key} {value:.3f}" for key, value in losses.items())
                print(f"{state.step}/{config.steps}, {time.perf_counter() - wall:.0f} s:", *values, flush=True)
    seconds = {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - processor}
    images = config.steps * config.batch
    return state, {"steps": config.steps, "images": images, **seconds, "log": log, "train_config": config.to_dict()}


def step(state: RunState, items: Sequence[TrainItem], config: TrainConfig) -> dict[str, float]:
    """One step of the optimiser on one batch, as ``train_step`` of the package; the losses of the batch."""
    device = next(state.model.parameters()).device
    items = [TrainItem(*(getattr(item, field.name).to(device) for field in dataclasses.fields(item))) for item in items]
    images = torch.stack([item.image for item in items]).contiguous(memory_format=torch.channels_last)
    seeds = [config.seed * 1_000_003 + number for number in image_numbers(config, state.step)]
    state.optimizer.zero_grad(set_to_none=True)
    losses = state.model.losses(images, items, config, seeds)
    losses.sum().backward()
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), CLIP_NORM).item()
    values = dict(zip(LOSSES, losses.tolist(), strict=True))
    if not all(math.isfinite(value) for value in (norm, *values.values())):
        raise RuntimeError(f"step {state.step + 1}: gradient norm {norm:.4g}, losses {values}")
    state.optimizer.step()
    state.schedule.step()
    state.average.update_parameters(state.model)
    state.step += 1
    return values


def evaluate(network: Network, samples: Sequence[Sample], limit: int, device: torch.device) -> dict[str, Any]:
    """AP on the first ``limit`` images."""
    predictor = Predictor(network, "prior_work", device)
    predictor.graphs = None  # they capture the network of the package
    count = min(limit, len(samples))
    matches, times = [], []
    for index in range(count):
        sample = samples[index]
        start = time.process_time()
        instances = predictor(sample.image)
        times.append((time.process_time() - start) * 1000)
        matches.append(match_image(to_annotations(sample, index, 1), to_results(instances, index)))
    ap = measure(Table.of(matches), predictor.config.class_names)
    figures = {name: ap[name] for name in ("segm", "bbox", "per_class")}
    return {"images": count, "frame_processor_ms": statistics.median(times), **figures}


def load(network: Network, path: Path) -> dict[str, Any]:
    """Reads a checkpoint into a network of its kind; returns what it says about its training."""
    with open_tensors(path) as file:
        network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})
    return read_metadata(path)[1]
