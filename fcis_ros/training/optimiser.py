# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Trained parameters, their rates and decay, and their running average: section 1.9 of the released recipe as settings."""

import math

from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from fcis_ros.model.fcis import FCIS
from fcis_ros.training.train_config import TrainConfig

CLIP_NORM = 10.0  # maximum norm of all gradients together; reached in the first steps only


def set_training(model: FCIS, config: TrainConfig) -> None:
    """Sets the model to training mode, except for the parts that ``frozen_stages`` and ``frozen_norm`` name."""
    model.train()
    for stage in model.backbone.stages()[: config.frozen_stages]:
        for module in stage:
            module.requires_grad_(False).eval()
    for module in model.backbone.modules():
        if config.frozen_norm and isinstance(module, nn.BatchNorm2d):
            module.eval()


def make_optimizer(model: FCIS, config: TrainConfig) -> Optimizer:
    """Makes the optimiser of the trainable parameters, in groups of equal weight decay and learning rate."""
    scales = {module.weight for module in model.modules() if isinstance(module, nn.BatchNorm2d)}
    reduction, backbone = set(model.score_maps.reduce.parameters()), set(model.backbone.parameters())
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            decay = config.weight_decay if parameter.ndim > 1 or (config.decay_norm and parameter in scales) else 0.0
            rate = config.lr * (config.reduce_lr if parameter in reduction else 1.0)
            rate *= config.backbone_lr if parameter in backbone else 1.0
            groups.setdefault((decay, rate), []).append(parameter)
    by_group = [{"params": p, "weight_decay": decay, "initial_lr": rate} for (decay, rate), p in groups.items()]
    if config.optimizer == "adamw":
        return AdamW(by_group, lr=config.lr, betas=(config.momentum, 0.999))
    return SGD(by_group, lr=config.lr, momentum=config.momentum)


def rate_factor(config: TrainConfig, step: int) -> float:
    """Returns the factor on the rates in a step, from 0: a linear or constant warm-up, then as ``schedule`` says.

    It depends on the step alone, so that a resumed run has the rates of an uninterrupted one.
    """
    if config.warmup_rate is None:
        rise = min((step + 1) / max(config.warmup, 1), 1.0)
    else:
        rise = config.warmup_rate if step < config.warmup else 1.0
    if config.schedule == "cosine":
        progress = (step - config.warmup) / max(config.steps - config.warmup, 1)
        return rise * 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
    return rise * 0.1 ** sum(step >= fraction * config.steps for fraction in config.milestones)


def make_schedule(optimizer: Optimizer, config: TrainConfig, step: int = 0) -> LambdaLR:
    """Makes the schedule of a run whose next step is ``step``; every group of the optimiser has an ``initial_lr``."""
    return LambdaLR(optimizer, lambda at: rate_factor(config, at), last_epoch=step - 1)


class Average(AveragedModel):
    """Averaged weights and statistics; ``module`` is a network with them."""

    module: FCIS


def make_average(model: FCIS, decay: float) -> Average:
    """Makes the running average of weights and statistics; its decay grows to ``decay``, so that the first steps fade soon."""

    def average(mean: Tensor, value: Tensor, count: Tensor | int) -> Tensor:
        if not mean.is_floating_point():
            return value
        return mean.lerp(value, 1 - min(decay, (1 + int(count)) / (10 + int(count))))

    return Average(model, avg_fn=average, use_buffers=True).eval()
