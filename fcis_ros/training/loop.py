# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The training loop: step after step, and every ``eval_every`` steps a checkpoint, a state to resume from and an evaluation."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from fcis_ros.errors import InputError
from fcis_ros.metrics.average_precision import Table, measure
from fcis_ros.metrics.coco_results import to_annotations, to_results
from fcis_ros.metrics.matching import match_image
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.precision import convolving
from fcis_ros.model.predictor import Predictor
from fcis_ros.structures import Sample
from fcis_ros.training import provenance
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.batches import Batches, image_numbers
from fcis_ros.training.distributed import ALONE, Processes, add_up_gradients, average_statistics, check_share
from fcis_ros.training.init_weights import initialise
from fcis_ros.training.losses import LOSSES, compute_losses
from fcis_ros.training.mixed_precision import training_precision
from fcis_ros.training.optimiser import CLIP_NORM, rate_factor
from fcis_ros.training.pretrained import Pretrained
from fcis_ros.training.run_log import RunLog, plot_log
from fcis_ros.training.state import RunState, load_state, new_state, read_identity, save_state
from fcis_ros.training.train_config import TrainConfig

STATE = "state.safetensors"  # in the folder of a run
LOG_EVERY = 20  # steps
SMOOTHING = 0.98  # decay per step of the moving averages in the log


class NonFiniteLoss(RuntimeError):
    """A loss or the gradient became infinite or NaN; the message holds the step and the terms."""


def train(
    config: TrainConfig,
    batches: Batches,
    out: Path,
    device: torch.device,
    *,
    data: dict[str, Any] | None = None,
    init: Path | Pretrained | None = None,
    held_out: Sequence[Sample] | None = None,
    resume: bool = False,
    workers: int = 1,
    processes: Processes = ALONE,
) -> Path:
    """Trains a model.

    Args:
        config: configuration of the run.
        batches: training data of this process.
        out: folder for ``model.safetensors`` (averaged weights), ``log.jsonl``, ``curves.png`` and the state to resume from.
        device: device that computes.
        data: digests of the annotated images (``provenance.describe_data``); None if all are rendered.
        init: weights to start from (``init_weights.initialise``, whose lines are printed); None: random weights.
        held_out: annotated images on which the averaged model is evaluated every ``eval_every`` steps; None: no evaluation.
        resume: whether to continue from the state in ``out``. Configuration, data and ``init`` must be those of the run; only
            ``steps`` may have changed, and the schedule, fractions of it, moves along.
        workers: number of processes that make the batches, which do not depend on it; 0: this process makes them.
        processes: processes that train together, each with different ``batches`` and the same ``out``; the first one writes.

    Returns:
        Path of the checkpoint.

    Raises:
        InputError: ``out`` holds a run already, or no run that can be resumed with these arguments; an image or ``init``
            cannot be read or used; the images of a step cannot be shared equally.
        NonFiniteLoss: training diverged; the last state and checkpoint stay as they are.
    """
    check_folder(out, resume)
    check_share(config.batch, config.accumulate, processes)
    precision = training_precision(config.precision, device, config.model.width)
    origin = processes.from_first(lambda: provenance.describe_init(init)) if init else None
    identity = provenance.identity(config, data, origin)
    state = _resume(config, out, device, identity) if resume else _begin(config, out, device, init, processes)
    state.starts.append(provenance.describe_start(device, precision, state.step, processes.count))
    began = time.monotonic() - state.seconds
    with (
        convolving(precision),
        RunLog(out / "log.jsonl", state.step, processes.first) as log,
        tqdm(total=config.steps, initial=state.step, unit="step", disable=not processes.first) as progress,
    ):
        if resume:  # an interruption may have come between snapshot and evaluation
            _evaluate(state, held_out, log, device, processes)
        for items in batches.load(state.step, workers):
            train_step(state, items, config, precision, processes)
            state.seconds = time.monotonic() - began
            progress.update()
            if state.step % LOG_EVERY == 0 or state.step in (1, config.steps):
                progress.set_postfix({name: f"{value:.3f}" for name, value in state.losses.items()})
                rate = config.lr * rate_factor(config, state.step - 1)
                log.write(step=state.step, lr=rate, s=round(state.seconds, 1), **state.losses)
            if state.step % config.eval_every == 0 or state.step == config.steps:
                if processes.first:
                    done = {"steps": state.step, "seconds": round(state.seconds, 1), "starts": state.starts}
                    about = {**identity, **done, "train_config": config.to_dict()}
                    checkpoint.save(out / "model.safetensors", state.average.module, about)
                    save_state(out / STATE, state, identity)
                _evaluate(state, held_out, log, device, processes)
    return out / "model.safetensors"


def _evaluate(
    state: RunState, held_out: Sequence[Sample] | None, log: RunLog, device: torch.device, processes: Processes
) -> None:
    """Adds the figures of the averaged model to the log, unless it has them, and draws the curves."""
    if held_out is not None and state.step not in log.evaluated:
        figures = measure_held_out(state.average.module, held_out, device, processes)
        if figures is not None:
            log.write(step=state.step, evaluation=figures)
            tqdm.write(f"step {state.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    if processes.first:
        plot_log(log.path, log.path.with_name("curves.png"))


def measure_held_out(
    model: FCIS, samples: Sequence[Sample], device: torch.device, processes: Processes
) -> dict[str, float] | None:
    """Computes the average precision of a model; the processes share the images.

    Returns:
        {name: value} of the mask AP, overall and as ``AP50 CLASS`` per class, in the first process; None in the others.

    Raises:
        InputError: an image cannot be read.
    """
    predictor = Predictor(model, "training", device)
    matches = []
    for index in processes.share(range(len(samples))):
        sample = samples[index]
        matches.append(match_image(to_annotations(sample, index, 1), to_results(predictor(sample.image), index)))
    merged = processes.merge(matches)
    if merged is None:
        return None
    ap = measure(Table.of(merged), predictor.config.class_names)
    figures = {**ap["segm"], **{f"AP50 {name}": value for name, value in ap["per_class"].items()}}
    return {name: value for name, value in figures.items() if value is not None}


def train_step(
    state: RunState, items: list[TrainItem], config: TrainConfig, precision: str, processes: Processes = ALONE
) -> None:
    """Makes one optimiser step on one batch, of which ``items`` are this process's share.

    The losses are means over the images of the batch, so neither the number of processes nor ``accumulate`` changes more than
    the last bits, unless statistics of BatchNorm are trained: those depend on the images that share a forward pass.

    Raises:
        NonFiniteLoss: training diverged; raised in all processes, and the weights are unchanged.
    """
    seeds = [config.seed * 1_000_003 + number for number in processes.share(image_numbers(config, state.step))]
    state.optimizer.zero_grad(set_to_none=True)
    totals = torch.zeros(len(LOSSES), device=next(state.model.parameters()).device)
    at_once = len(items) // config.accumulate
    for first in range(0, len(items), at_once):
        part = slice(first, first + at_once)
        losses = compute_losses(state.model, items[part], config, precision, seeds[part])
        share = at_once / config.batch
        (sum(losses.values(), start=totals.new_zeros(())) * share).backward()
        totals += torch.stack(list(losses.values())).detach() * share
    processes.add_up([totals])
    add_up_gradients(state.model, processes)
    values = dict(zip(LOSSES, totals.tolist(), strict=True))
    terms = {**values, "gradient norm": nn.utils.clip_grad_norm_(state.model.parameters(), CLIP_NORM).item()}
    if not all(math.isfinite(value) for value in terms.values()):
        raise NonFiniteLoss(f"step {state.step + 1}: " + ", ".join(f"{name} {value:.4g}" for name, value in terms.items()))
    state.optimizer.step()
    state.schedule.step()
    average_statistics(state.model, processes)
    state.average.update_parameters(state.model)
    for name, value in values.items():
        state.losses[name] = SMOOTHING * state.losses[name] + (1 - SMOOTHING) * value if state.step else value
    state.step += 1


def check_folder(out: Path, resume: bool) -> None:
    """Raises InputError if a folder holds a run already, or none to resume."""
    if resume and not (out / STATE).exists():
        raise InputError(f"{out}: no run to resume in this folder")
    if not resume and any((out / name).exists() for name in (STATE, "model.safetensors")):
        raise InputError(f"{out}: holds a run already; use --resume or another folder")


def excluded_images(out: Path) -> list[str]:
    """Returns the file names of the images that the run in a folder has left out.

    Raises:
        InputError: no run in the folder, or a damaged one.
    """
    excluded = (read_identity(out / STATE).get("data") or {}).get("excluded", [])
    return [name for name in excluded if isinstance(name, str)]


def _begin(
    config: TrainConfig, out: Path, device: torch.device, init: Path | Pretrained | None, processes: Processes
) -> RunState:
    torch.manual_seed(config.seed)
    model = FCIS(config.model)
    if init:
        lines = initialise(model, init)
        if processes.first:
            print("\n".join(lines), flush=True)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be created ({error.strerror})") from None
    return new_state(model, config, device)


def _resume(config: TrainConfig, out: Path, device: torch.device, identity: dict[str, Any]) -> RunState:
    path = out / STATE
    if differ := provenance.changes(read_identity(path), identity):
        advice = f"another --out with --init {out / 'model.safetensors'} starts a run from what was learnt"
        raise InputError(f"{out}: --resume continues the same run, but {'; '.join(differ)}; {advice}")
    state = load_state(path, config, device)
    if state.step > config.steps:
        raise InputError(f"{out}: the run has done {state.step} steps already, more than the {config.steps} requested")
    return state
