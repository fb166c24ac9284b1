# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is trained, frozen and decayed, by the names of the parameters, and at which rates; seed 0, fp32."""

import dataclasses

import pytest
import torch
from torch import nn

from fcis_ros.config import BACKBONES, ModelConfig
from fcis_ros.model.checkpoint import blueprint
from fcis_ros.model.fcis import FCIS
from fcis_ros.training.optimiser import make_average, make_optimizer, make_schedule, rate_factor, set_training
from fcis_ros.training.train_config import TrainConfig

MODEL = ModelConfig(class_names=("a",), backbone="resnet18", width=8, reduced_channels=8, rpn_channels=8, bins=3, grid=9)
CONFIG = TrainConfig(MODEL, steps=1, lr=0.5, weight_decay=0.25)


LITE = dataclasses.replace(MODEL, backbone="efficientnet_lite0", width=64, features="pyramid", pyramid_channels=8)


def prepared(**changes) -> tuple[FCIS, dict[str, tuple[float, float]]]:
    """A model, and rate and decay of every parameter that is trained."""
    config = dataclasses.replace(CONFIG, **changes)
    torch.manual_seed(0)
    model = FCIS(config.model)
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


def test_make_optimizer_backbone_lr_is_a_factor_on_the_backbone_alone():
    """Half the rate; the reduction, a head, keeps its factor."""
    _, trained = prepared(model=LITE, backbone_lr=0.5, reduce_lr=3.0)
    for name, (rate, _) in trained.items():
        factor = 0.5 if name.startswith("backbone.") else 3.0 if name.startswith("score_maps.reduce.") else 1.0
        assert rate == 0.5 * factor, name
    assert trained["backbone.stem.conv.weight"] == (0.25, 0.25) and trained["backbone.stem.norm.weight"] == (0.25, 0.0)


def test_make_optimizer_adamw_has_the_momentum_and_the_groups_of_sgd():
    """A first step has the length of the rate, whatever the scale of the gradient; besides, weights shrink by rate * decay."""
    model, trained = prepared(optimizer="adamw", momentum=0.8, weight_decay=0.05, backbone_lr=0.5, warmup=0)
    config = dataclasses.replace(CONFIG, optimizer="adamw", momentum=0.8, weight_decay=0.05, backbone_lr=0.5, warmup=0)
    optimizer = make_optimizer(model, config)
    assert isinstance(optimizer, torch.optim.AdamW) and {group["betas"] for group in optimizer.param_groups} == {(0.8, 0.999)}
    assert trained == prepared(weight_decay=0.05, backbone_lr=0.5)[1]
    schedule = make_schedule(optimizer, config)
    assert schedule.get_last_lr() == [group["initial_lr"] for group in optimizer.param_groups]
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for scale, parameter in enumerate(model.parameters(), 1):
        parameter.grad = torch.full_like(parameter, 10.0 ** (scale % 7 - 3))
    optimizer.step()
    for name, parameter in model.named_parameters():
        rate, decay = trained[name]
        assert torch.allclose(parameter, before[name] * (1 - rate * decay) - rate, atol=1e-4), name


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


@pytest.mark.parametrize("stages", [0, 1, 3, 8])
def test_set_training_freezes_stages_of_an_efficientnet(stages):
    """The stem, then its seven stages; the join behind them is trained."""
    model, trained = prepared(model=LITE, frozen_stages=stages)
    frozen = tuple(f"backbone.{part}." for part in ("stem", *(f"blocks.{number}" for number in range(7)))[:stages])
    assert trained.keys() == {name for name, _ in model.named_parameters() if not name.startswith(frozen)}
    for name, module in model.named_modules():
        assert module.training == (not f"{name}.".startswith(frozen)), name


def test_set_training_frozen_norm_keeps_the_statistics_of_the_backbone_alone():
    """Scale and shift are learnt; the join is new, so it measures its statistics."""
    model, trained = prepared(model=LITE, frozen_norm=True)
    assert "backbone.stem.norm.weight" in trained and "backbone.blocks.6.0.project.norm.bias" in trained
    norms = {name: module for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert all(norm.training != name.startswith("backbone.") for name, norm in norms.items())
    assert {name.split(".")[0] for name in norms} == {"backbone", "pyramid"}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_backbones_of_the_configuration_have_as_many_stages(backbone):
    """The rule for ``frozen_stages``; every parameter belongs to one stage."""
    made = blueprint(ModelConfig(("a",), backbone=backbone)).backbone
    stages = made.stages()
    assert len(stages) == BACKBONES[backbone]
    parameters = [parameter for stage in stages for module in stage for parameter in module.parameters()]
    assert len(parameters) == len(set(parameters)) == len(list(made.parameters()))


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
        ({"schedule": "cosine", "milestones": (0.7, 0.9)}, {0: 0.1, 9: 1, 10: 1, 40: 0.75, 55: 0.5, 70: 0.25, 100: 0}),
        ({"schedule": "cosine", "milestones": (0.7, 0.9), "steps": 190}, {40: 0.933013, 100: 0.5, 190: 0}),
        ({"schedule": "cosine", "milestones": (0.7, 0.9), "warmup": 0}, {0: 1, 50: 0.5, 100: 0, 101: 0}),
        ({"schedule": "cosine", "milestones": (0.7, 0.9), "warmup": 200, "warmup_rate": 0.1}, {0: 0.1, 99: 0.1}),
    ],
)
def test_rate_factor_warms_up_then_follows_the_schedule(changes, factors):
    """Half a cosine from 1 at step 10 to 0 at step 100: a half after 45 steps, a quarter gone after 30, where it is cos 60°."""
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
