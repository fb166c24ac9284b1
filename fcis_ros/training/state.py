# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Everything that changes during a run, in one object and, for ``--resume``, in one file.

Data, augmentation and sampling of a step follow from the seed and the step's number, the learning rate from the step's number,
and no layer draws random numbers. So a resumed run is, to the bit, the uninterrupted run.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from fcis_ros.errors import InputError
from fcis_ros.model.checkpoint import FORMAT_VERSION, arrays, open_tensors, write
from fcis_ros.model.fcis import FCIS
from fcis_ros.training.optimiser import Average, make_average, make_optimizer, make_schedule, set_training
from fcis_ros.training.train_config import TrainConfig

_KINDS = {"step": int, "seconds": float, "losses": dict, "starts": list, "identity": dict}


@dataclass
class RunState:
    """A run after ``step`` steps.

    Attributes:
        model: network in training mode.
        average: running average of its weights and statistics, in evaluation mode.
        optimizer: optimiser with its averages of the gradients.
        schedule: schedule of the learning rates.
        step: number of optimiser steps done.
        seconds: wall time of these steps.
        losses: moving average of each loss, for the log.
        starts: descriptions of the start and every resumption (``provenance.describe_start``).
    """

    model: FCIS
    average: Average
    optimizer: Optimizer
    schedule: LambdaLR
    step: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    starts: list[dict[str, Any]] = field(default_factory=list)


def new_state(model: FCIS, config: TrainConfig, device: torch.device, step: int = 0) -> RunState:
    """Makes the state of a run that starts from the model's weights."""
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload] # not in its stub
    set_training(model, config)
    optimizer = make_optimizer(model, config)
    return RunState(model, make_average(model, config.ema), optimizer, make_schedule(optimizer, config, step), step)


def save_state(path: Path, state: RunState, identity: dict[str, Any]) -> None:
    """Writes a state atomically: ``path`` holds either the previous state or this one.

    Args:
        path: path of a ``.safetensors`` file.
        state: state of the run.
        identity: values that a run must share with this one to continue it (``provenance.identity``).
    """
    buffers = {
        f"{kind}.{name}": value
        for name, parameter in state.model.named_parameters()
        for kind, value in state.optimizer.state.get(parameter, {}).items()
    }
    parts = {"model": state.model.state_dict(), "average": state.average.module.state_dict(), "optimizer": buffers}
    tensors = {f"{part}.{name}": tensor for part, values in parts.items() for name, tensor in values.items()}
    about = {"step": state.step, "seconds": state.seconds, "losses": state.losses, "starts": state.starts}
    write(path, arrays(tensors), {"run": json.dumps({**about, "identity": identity, "format": FORMAT_VERSION})})


def read_identity(path: Path) -> dict[str, Any]:
    """Returns the ``identity`` that ``save_state`` wrote.

    Raises:
        InputError: the file is missing, damaged or not a state.
    """
    with open_tensors(path) as file:
        return _about(path, file)["identity"]


def load_state(path: Path, config: TrainConfig, device: torch.device) -> RunState:
    """Reads the state of a run of this configuration.

    Raises:
        InputError: the file is missing, damaged, not a state, or of another model.
    """
    with open_tensors(path) as file:
        about = _about(path, file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}

    def part(name: str) -> dict[str, torch.Tensor]:
        return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}

    state = new_state(FCIS(config.model), config, device, about["step"])
    try:
        state.model.load_state_dict(part("model"))
        state.average.module.load_state_dict(part("average"))
        parameters = dict(state.model.named_parameters())
        for key, value in part("optimizer").items():
            kind, _, name = key.partition(".")
            like = parameters[name] if value.ndim else value  # AdamW counts its steps in scalars
            state.optimizer.state[parameters[name]][kind] = torch.empty_like(like).copy_(value)
    except (RuntimeError, KeyError):
        raise InputError(f"{path}: its tensors do not fit the model that its configuration describes") from None
    state.average.n_averaged.fill_(about["step"])
    state.seconds, state.losses, state.starts = about["seconds"], about["losses"], about["starts"]
    return state


def _about(path: Path, file: safe_open) -> dict[str, Any]:
    try:
        about = json.loads((file.metadata() or {})["run"])
        if not all(isinstance(about[key], kind) for key, kind in _KINDS.items()):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: not the state of a training run of this version") from None
    momentum_alone = any(name.startswith("momentum.") for name in file.keys())  # before there was another optimiser than SGD
    if about.get("format") != FORMAT_VERSION or momentum_alone:
        raise InputError(f"{path}: of an earlier release, whose states differ; --init takes the run's checkpoint")
    return about
