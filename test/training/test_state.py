# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A run's state as a file; that a resumed run has the bits of an uninterrupted one is tested in test_loop.py."""

import dataclasses
import json

import pytest
import safetensors.torch
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS
from fcis_ros.training.state import load_state, new_state, read_identity, save_state
from fcis_ros.training.train_config import TrainConfig

CPU = torch.device("cpu")
MODEL = ModelConfig(class_names=("a",), backbone="resnet18", width=4, reduced_channels=8, rpn_channels=8, bins=3, grid=9)
CONFIG = TrainConfig(MODEL, steps=9, warmup=4)


@pytest.fixture
def saved(tmp_path):
    """A state after one step of equal gradients, and its file."""
    state = new_state(FCIS(MODEL), CONFIG, CPU)
    sum(parameter.sum() for parameter in state.model.parameters()).backward()
    state.optimizer.step()
    state.average.update_parameters(state.model)
    state.step, state.seconds, state.losses, state.starts = 1, 2.5, {"rpn_box": 0.5}, [{"step": 0}]
    save_state(tmp_path / "state.safetensors", state, {"data": None})
    return state, tmp_path / "state.safetensors"


def test_load_state_of_a_saved_state_equals_it(saved):
    state, path = saved
    loaded = load_state(path, CONFIG, CPU)
    assert read_identity(path) == {"data": None} and loaded.average.n_averaged == 1
    for field in ("step", "seconds", "losses", "starts"):
        assert getattr(loaded, field) == getattr(state, field)
    for one, other in ((state.model, loaded.model), (state.average.module, loaded.average.module)):
        assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    momenta = [[run.optimizer.state[p]["momentum_buffer"] for p in run.model.parameters()] for run in (state, loaded)]
    assert all(map(torch.equal, *momenta)) and momenta[0][0].any()
    assert loaded.schedule.get_last_lr()[0] == pytest.approx(2 / 4 * CONFIG.lr)


def test_load_state_of_another_file_raises_one_line(saved):
    path = saved[1]
    tensors = safetensors.torch.load_file(path)
    with checkpoint.open_tensors(path) as file:
        about = json.loads(file.metadata()["run"])
    with pytest.raises(InputError, match="its tensors do not fit the model"):
        load_state(path, dataclasses.replace(CONFIG, model=dataclasses.replace(MODEL, width=8)), CPU)
    for changes, says in (
        ({"format": None}, "of an earlier release, whose weights have another order; --init"),
        ({"losses": None}, "not the state of a training run of this version"),
    ):
        safetensors.torch.save_file(tensors, path, {"run": json.dumps({**about, **changes})})
        with pytest.raises(InputError, match=f"state.safetensors: {says}"):
            load_state(path, CONFIG, CPU)
    path.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="state.safetensors: not a readable"):
        load_state(path, CONFIG, CPU)
