# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.training.optimiser import make_schedule, rate_factor
from fcis_ros.training.train_config import TrainConfig

CONFIG = TrainConfig(ModelConfig(class_names=("a",)), steps=100, warmup=10, milestones=(0.5, 0.9))


def optimizer() -> torch.optim.SGD:
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "initial_lr": rate} for rate in (1.0, 3.0)]
    return torch.optim.SGD(groups, lr=1.0)


@pytest.mark.parametrize(
    ("changes", "factors"),
    [
        ({}, {0: 0.1, 4: 0.5, 9: 1, 49: 1, 50: 0.1, 90: 0.01}),
        ({"warmup": 0}, {0: 1}),
        ({"warmup": 25, "warmup_rate": 0.1, "milestones": (0.667,)}, {0: 0.1, 24: 0.1, 25: 1, 66: 1, 67: 0.1}),
    ],
)
def test_rate_factor_warms_up_and_steps_down(changes, factors):
    config = dataclasses.replace(CONFIG, **changes)
    assert {step: round(rate_factor(config, step), 6) for step in factors} == factors


@pytest.mark.parametrize("start", [0, 7, 60])
def test_make_schedule_resumed_scales_every_group(start):
    sgd = optimizer()
    schedule = make_schedule(sgd, CONFIG, start)
    for step in range(start, start + 5):
        assert [group["lr"] for group in sgd.param_groups] == [rate_factor(CONFIG, step), 3 * rate_factor(CONFIG, step)]
        sgd.step()
        schedule.step()
