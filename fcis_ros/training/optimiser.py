# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Trained parameters, their rate and decay, and their running average: section 1.9 of the released recipe as settings."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from fcis_ros.model.backbone import ResNet
from fcis_ros.model.fcis import FCIS
from fcis_ros.training.train_config import TrainConfig

CLIP_NORM = 10.0  # maximum norm of all gradients together; reached in the first steps only


def frozen_modules(backbone: ResNet, stages: int) -> list[nn.Module]:
    """Returns the modules of the first ``stages`` stages; stage 1 is conv1 with its normalisation, 2 is layer1."""
    layers = [backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4]
    return [backbone.conv1, backbone.bn1, *layers][: stages + 1 if stages else 0]


def set_training(model: FCIS, config: TrainConfig) -> None:
    """Sets the model to training mode, except for the parts that ``frozen_stages`` and ``frozen_norm`` name."""
    model.train()
    for module in frozen_modules(model.backbone, config.frozen_stages):
        module.requires_grad_(False).eval()
    if config.frozen_norm:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def make_optimizer(model: FCIS, config: TrainConfig) -> torch.optim.SGD:
    """Makes SGD over the trainable parameters, in groups of equal weight decay and learning rate."""
    scales = {module.weight for module in model.modules() if isinstance(module, nn.BatchNorm2d)}
    reduction = set(model.score_maps.reduce.parameters())
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            decays = parameter.ndim > 1 or (config.decay_norm and parameter in scales)
            decay = config.weight_decay if decays else 0.0
            rate = config.lr * (config.reduce_lr if parameter in reduction else 1.0)
            groups.setdefault((decay, rate), []).append(parameter)
    return torch.optim.SGD(
        [{"params": p, "weight_decay": decay, "initial_lr": rate} for (decay, rate), p in groups.items()],
        lr=config.lr,
        momentum=config.momentum,
    )


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
