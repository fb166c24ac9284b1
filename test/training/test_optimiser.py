# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is trained, frozen and decayed, by the names of the parameters, and at which rates; seed 0, fp32."""

import dataclasses

import pytest
import torch
from torch import nn

from fcis_ros.config import ModelConfig
from fcis_ros.model.fcis import FCIS
from fcis_ros.training.optimiser import make_average, make_optimizer, make_schedule, rate_factor, set_training
from fcis_ros.training.train_config import TrainConfig

MODEL = ModelConfig(class_names=("a",), backbone="resnet18", width=8, reduced_channels=8, rpn_channels=8, bins=3, grid=9)
CONFIG = TrainConfig(MODEL, steps=1, lr=0.5, weight_decay=0.25)


def prepared(**changes) -> tuple[FCIS, dict[str, tuple[float, float]]]:
    """A model, and rate and decay of every parameter that is trained."""
    config = dataclasses.replace(CONFIG, **changes)
    torch.manual_seed(0)
    model = FCIS(MODEL)
    set_training(model, config)
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = make_optimizer(model, config).param_groups
    return model, {names[p]: (group["initial_lr"], group["weight_decay"]) for group in groups for p in group["params"]}


def test_make_optimizer_default_trains_all_and_decays_convolutions():
    model, trained = prepared()
    assert trained.keys() == dict(model.named_parameters()).keys()
    assert trained["backbone.conv1.weight"] == trained["score_maps.reduce.weight"] == (0.5, 0.25)
    assert trained["backbone.bn1.weight"] == trained["score_maps.reduce.bias"] == (0.5, 0.0)
    assert all(module.training for module in model.modules())


def test_make_optimizer_released_recipe_has_its_groups():
    """conv1 and the first layer frozen, fixed statistics, scales decay, three times the rate for the reduction."""
    model, trained = prepared(frozen_stages=2, frozen_norm=True, decay_norm=True, reduce_lr=3.0)
    assert trained["score_maps.reduce.weight"] == (1.5, 0.25) and trained["score_maps.reduce.bias"] == (1.5, 0.0)
    assert trained["score_maps.score.weight"] == (0.5, 0.25)
    assert trained["backbone.layer2.0.bn1.weight"] == (0.5, 0.25) and trained["backbone.layer2.0.bn1.bias"] == (0.5, 0.0)
    assert not any(module.training for module in model.modules() if isinstance(module, nn.BatchNorm2d))


@pytest.mark.parametrize(("stages", "last"), [(1, "bn1"), (2, "layer1"), (3, "layer2"), (4, "layer3"), (5, "layer4")])
def test_set_training_freezes_stages_from_the_image_on(stages, last):
    model, trained = prepared(frozen_stages=stages)
    parts = ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4"]
    frozen = parts[: parts.index(last) + 1]
    for name, _ in model.named_parameters():
        assert (name in trained) == (not (name.startswith("backbone.") and name.split(".")[1] in frozen)), name
    before = model.backbone.bn1.running_mean.clone()
    model.backbone(torch.ones(1, 3, 32, 32))
    assert torch.equal(model.backbone.bn1.running_mean, before)


def test_make_average_starts_fast_then_uses_its_decay():
    """Weights 1, 2, 3: the first is copied, then decays of 2/11 and 3/12; with a decay of 0.1, that."""
    model = FCIS(MODEL)
    for decay, expected in ((0.9, [1, 1 * 2 / 11 + 2 * 9 / 11]), (0.1, [1, 0.1 + 2 * 0.9])):
        average = make_average(model, decay)
        for value, mean in zip((1.0, 2.0), expected, strict=True):
            nn.init.constant_(model.score_maps.box.bias, value)
            model.backbone.bn1.running_mean.fill_(value)
            average.update_parameters(model)
            assert average.module.score_maps.box.bias[0].item() == pytest.approx(mean)
            assert average.module.backbone.bn1.running_mean[0].item() == pytest.approx(mean)


@pytest.mark.parametrize(
    ("changes", "factors"),
    [
        ({}, {0: 0.1, 4: 0.5, 9: 1, 49: 1, 50: 0.1, 90: 0.01}),
        ({"warmup": 0}, {0: 1}),
        ({"warmup": 25, "warmup_rate": 0.1, "milestones": (0.667,)}, {0: 0.1, 24: 0.1, 25: 1, 66: 1, 67: 0.1}),
    ],
)
def test_rate_factor_warms_up_and_steps_down(changes, factors):
    config = dataclasses.replace(CONFIG, **{"steps": 100, "warmup": 10, "milestones": (0.5, 0.9), **changes})
    assert {step: round(rate_factor(config, step), 6) for step in factors} == factors


@pytest.mark.parametrize("start", [0, 7, 60])
def test_make_schedule_resumed_scales_every_group(start):
    config = dataclasses.replace(CONFIG, steps=100, warmup=10, milestones=(0.5, 0.9))
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "initial_lr": rate} for rate in (1.0, 3.0)]
    sgd = torch.optim.SGD(groups, lr=1.0)
    schedule = make_schedule(sgd, config, start)
    for step in range(start, start + 5):
        assert [group["lr"] for group in sgd.param_groups] == [rate_factor(config, step), 3 * rate_factor(config, step)]
        sgd.step()
        schedule.step()
