# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.training.schedule import make_schedule, rate_factor
from fcis_ros.training.train_config import TrainConfig

CONFIG = TrainConfig(ModelConfig(class_names=("a",)), steps=100, warmup=10, milestones=(0.5, 0.9))


def optimizer() -> torch.optim.SGD:
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "initial_lr": rate} for rate in (1.0, 3.0)]
    return torch.optim.SGD(groups, lr=1.0)


def test_rate_warms_up_and_steps_down():
    assert [round(rate_factor(CONFIG, step), 6) for step in (0, 4, 9, 49, 50, 90)] == [0.1, 0.5, 1, 1, 0.1, 0.01]


def test_no_warm_up():
    assert rate_factor(TrainConfig(CONFIG.model, steps=10, warmup=0, milestones=()), 0) == 1


def test_warm_up_at_a_constant_rate_as_released():
    config = TrainConfig(CONFIG.model, steps=100, warmup=25, warmup_rate=0.1, milestones=(0.667,))
    assert [round(rate_factor(config, step), 6) for step in (0, 24, 25, 66, 67)] == [0.1, 0.1, 1, 1, 0.1]


@pytest.mark.parametrize("start", [0, 7, 60])
def test_every_group_follows_from_wherever_it_starts(start):
    sgd = optimizer()
    schedule = make_schedule(sgd, CONFIG, start)
    for step in range(start, start + 5):
        assert [group["lr"] for group in sgd.param_groups] == [rate_factor(CONFIG, step), 3 * rate_factor(CONFIG, step)]
        sgd.step()
        schedule.step()
