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


KINDS = {"sgd": {"momentum_buffer"}, "adamw": {"step", "exp_avg", "exp_avg_sq"}}  # of averages, by optimiser


def make_step(state):
    """One optimiser step, in which the gradient of a weight w is 1 + 2w."""
    state.optimizer.zero_grad()
    sum((parameter + parameter.square()).sum() for parameter in state.model.parameters()).backward()
    state.optimizer.step()


def save_after_a_step(path, config):
    torch.manual_seed(0)
    state = new_state(FCIS(MODEL), config, CPU)
    make_step(state)
    state.average.update_parameters(state.model)
    state.step, state.seconds, state.losses, state.starts = 1, 2.5, {"rpn_box": 0.5}, [{"step": 0}]
    save_state(path, state, {"data": None})
    return state, path


@pytest.fixture
def saved(tmp_path):
    """A state after one step, and its file."""
    return save_after_a_step(tmp_path / "state.safetensors", CONFIG)


@pytest.mark.parametrize("optimizer", KINDS)
def test_load_state_of_a_saved_state_equals_it(tmp_path, optimizer):
    """And a further step gives the same weights, to the bit."""
    config = dataclasses.replace(CONFIG, optimizer=optimizer, frozen_stages=1)
    state, path = save_after_a_step(tmp_path / "state.safetensors", config)
    loaded = load_state(path, config, CPU)
    assert read_identity(path) == {"data": None} and loaded.average.n_averaged == 1
    for field in ("step", "seconds", "losses", "starts"):
        assert getattr(loaded, field) == getattr(state, field)
    for one, other in ((state.model, loaded.model), (state.average.module, loaded.average.module)):
        assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    trained = [[p for p in run.model.parameters() if p.requires_grad] for run in (state, loaded)]
    for one, other in zip(*trained, strict=True):
        averages, others = state.optimizer.state[one], loaded.optimizer.state[other]
        assert averages.keys() == others.keys() == KINDS[optimizer]
        assert all(torch.equal(averages[kind], others[kind]) and averages[kind].any() for kind in averages)
    assert len(loaded.optimizer.state) == len(trained[0]) == len(list(state.model.parameters())) - 3  # conv1, bn1
    assert loaded.schedule.get_last_lr()[0] == pytest.approx(2 / 4 * CONFIG.lr)
    state.schedule.step()
    make_step(state)
    make_step(loaded)
    assert all(map(torch.equal, *(run.model.state_dict().values() for run in (state, loaded))))


def test_save_state_without_momentum_has_no_averages(tmp_path):
    path = save_after_a_step(tmp_path / "state.safetensors", dataclasses.replace(CONFIG, momentum=0.0))[1]
    assert not any(name.startswith("optimizer.") for name in safetensors.torch.load_file(path))
    assert load_state(path, dataclasses.replace(CONFIG, momentum=0.0), CPU).step == 1


@pytest.mark.cuda
@pytest.mark.parametrize("optimizer", KINDS)
def test_load_state_on_a_gpu_goes_on(tmp_path, optimizer):
    """AdamW counts its steps on the CPU, wherever the weights are."""
    config = dataclasses.replace(CONFIG, optimizer=optimizer)
    before, path = save_after_a_step(tmp_path / "state.safetensors", config)
    state = load_state(path, config, torch.device("cuda"))
    before.schedule.step()
    make_step(before)
    make_step(state)
    for one, other in zip(before.model.parameters(), state.model.parameters(), strict=True):
        assert torch.allclose(one, other.cpu(), rtol=1e-5, atol=1e-6)


def test_read_identity_of_a_state_with_momentum_alone_raises_one_line(saved):
    """Written before there was another optimiser than SGD: its momentum must not be lost in silence."""
    path = saved[1]
    with checkpoint.open_tensors(path) as file:
        about = file.metadata()
    tensors = safetensors.torch.load_file(path)
    old = {name.replace("optimizer.momentum_buffer.", "momentum."): value for name, value in tensors.items()}
    safetensors.torch.save_file(old, path, about)
    for read in (read_identity, lambda path: load_state(path, CONFIG, CPU)):
        with pytest.raises(InputError, match="state.safetensors: of an earlier release, whose states differ; --init takes"):
            read(path)


def test_load_state_of_another_file_raises_one_line(saved):
    path = saved[1]
    tensors = safetensors.torch.load_file(path)
    with checkpoint.open_tensors(path) as file:
        about = json.loads(file.metadata()["run"])
    with pytest.raises(InputError, match="its tensors do not fit the model"):
        load_state(path, dataclasses.replace(CONFIG, model=dataclasses.replace(MODEL, width=8)), CPU)
    for changes, says in (
        ({"format": None}, "of an earlier release, whose states differ; --init"),
        ({"losses": None}, "not the state of a training run of this version"),
    ):
        safetensors.torch.save_file(tensors, path, {"run": json.dumps({**about, **changes})})
        with pytest.raises(InputError, match=f"state.safetensors: {says}"):
            load_state(path, CONFIG, CPU)
    safetensors.torch.save_file({**tensors, "optimizer.momentum_buffer": torch.zeros(1)}, path, {"run": json.dumps(about)})
    with pytest.raises(InputError, match="its tensors do not fit the model"):
        load_state(path, CONFIG, CPU)
    path.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="state.safetensors: not a readable"):
        load_state(path, CONFIG, CPU)
