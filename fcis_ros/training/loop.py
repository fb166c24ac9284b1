# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The training loop: one step after the other, and every now and then a checkpoint, a state to resume from and figures."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.precision import convolving
from fcis_ros.training import provenance
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.batches import Batches, image_numbers
from fcis_ros.training.curves_plot import plot_log
from fcis_ros.training.distributed import ALONE, Processes, add_up_gradients, average_statistics, check_share
from fcis_ros.training.init_weights import initialise
from fcis_ros.training.mixed_precision import training_precision
from fcis_ros.training.objective import LOSSES, compute_losses
from fcis_ros.training.optimiser import CLIP_NORM
from fcis_ros.training.run_log import RunLog
from fcis_ros.training.schedule import rate_factor
from fcis_ros.training.state import RunState, load_state, new_state, read_identity, save_state
from fcis_ros.training.train_config import TrainConfig

LOG_EVERY = 20  # steps
SMOOTHING = 0.98  # of the losses in the log


class NonFiniteLoss(RuntimeError):
    """A loss or the gradient became infinite or NaN; the message holds the step and the terms."""


def train(
    config: TrainConfig,
    batches: Batches,
    out: Path,
    device: torch.device,
    *,
    data: dict[str, Any] | None = None,
    init: Path | None = None,
    evaluate: Callable[[FCIS], dict[str, float] | None] | None = None,
    resume: bool = False,
    workers: int = 1,
    processes: Processes = ALONE,
) -> Path:
    """Trains a model.

    Args:
        config: the run.
        batches: its data.
        out: folder for ``model.safetensors`` (averaged weights), ``log.jsonl``, ``curves.png`` and the state to resume from.
        device: where to compute.
        data: digests of the annotated images (``provenance.describe_data``); None if all are rendered.
        init: weights to start from (``initial.initialise``, whose lines are printed); None: random ones.
        evaluate: called with the averaged model every ``eval_every`` steps, in all processes; what it returns in the first one
            goes to the log.
        resume: continue from the state in ``out``. Configuration, data and ``init`` must be those of the run; only ``steps``
            may have changed, and the milestones, fractions of it, move along.
        workers: processes that make the batches; what they make does not depend on their number.
        processes: that train together; each gets its own ``batches`` and sees the same ``out``, in which the first one writes.

    Returns:
        The checkpoint.

    Raises:
        InputError: ``out`` holds a run already, or none that can be resumed with these arguments; an image or ``init`` cannot
            be read or used; the images of a step cannot be shared out.
        NonFiniteLoss: training diverged; the last state and checkpoint stay as they are.
    """
    check_share(config.batch, config.accumulate, processes)
    precision = training_precision(config.precision, device, config.model.width)
    origin = processes.from_first(lambda: provenance.describe_init(init)) if init else None
    identity = provenance.identity(config, data, origin)
    state = _resume(config, out, device, identity) if resume else _begin(config, out, device, init, processes)
    state.starts.append(provenance.describe_start(device, precision, state.step, processes.count))
    began = time.monotonic() - state.seconds
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=range(state.step, config.steps),
        num_workers=workers,
        prefetch_factor=4,
        generator=torch.Generator(),  # else it would draw from the global one
    )
    with (
        convolving(precision),
        RunLog(out / "log.jsonl", state.step, processes.first) as log,
        tqdm(total=config.steps, initial=state.step, unit="step", disable=not processes.first) as progress,
    ):

        def measure() -> None:
            if evaluate is not None and state.step not in log.evaluated:
                figures = evaluate(state.average.module)
                if not processes.first or figures is None:
                    return
                log.write(step=state.step, evaluation=figures)
                tqdm.write(f"step {state.step}: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))
            if processes.first:
                plot_log(out / "log.jsonl", out / "curves.png")

        if resume:
            measure()  # an interruption may have come between snapshot and evaluation
        for items in loader:
            if isinstance(items, InputError):
                raise items
            train_step(state, items, config, precision, processes)
            state.seconds = time.monotonic() - began
            progress.update()
            if state.step % LOG_EVERY == 0 or state.step in (1, config.steps):
                progress.set_postfix({name: f"{value:.3f}" for name, value in state.losses.items()})
                rate = config.lr * rate_factor(config, state.step - 1)
                log.write(step=state.step, lr=rate, s=round(state.seconds, 1), **state.losses)
            if state.step % config.eval_every == 0 or state.step == config.steps:
                if processes.first:
                    _save(out, state, config, identity)
                measure()
    return out / "model.safetensors"


def _save(out: Path, state: RunState, config: TrainConfig, identity: dict[str, Any]) -> None:
    about = {**identity, "steps": state.step, "seconds": round(state.seconds, 1), "starts": state.starts}
    about["train_config"] = config.to_dict()
    checkpoint.save(out / "model.safetensors", state.average.module, about)
    save_state(out / "state.safetensors", state, identity)


def train_step(
    state: RunState, items: list[TrainItem], config: TrainConfig, precision: str, processes: Processes = ALONE
) -> None:
    """One optimiser step on one batch, of which ``items`` are this process's share.

    The losses are means over the images of the batch, so neither the processes nor ``accumulate`` change more than the last
    bits, unless statistics of BatchNorm are trained: they are those of the images that go through the network together.

    Raises:
        NonFiniteLoss: the weights are as they were; in all processes alike.
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


def _begin(config: TrainConfig, out: Path, device: torch.device, init: Path | None, processes: Processes) -> RunState:
    if any((out / name).exists() for name in ("state.safetensors", "model.safetensors")):
        raise InputError(f"{out}: holds a run already; use --resume or another folder")
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
    path = out / "state.safetensors"
    if not path.exists():
        raise InputError(f"{out}: no run to resume there")
    if differ := provenance.differences(read_identity(path), identity):
        raise InputError(f"{out}: --resume continues the same run, but {'; '.join(differ)}")
    state = load_state(path, config, device)
    if state.step > config.steps:
        raise InputError(f"{out}: the run has done {state.step} steps already, {config.steps} are asked for")
    return state
