# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The learning rate as a function of the step alone, so that a resumed run has the rates of an uninterrupted one."""

from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from fcis_ros.training.train_config import TrainConfig


def rate_factor(config: TrainConfig, step: int) -> float:
    """Returns the factor on the rates in a step, from 0: a linear or constant warm-up, then a tenth from each milestone on."""
    if config.warmup_rate is None:
        rise = min((step + 1) / max(config.warmup, 1), 1.0)
    else:
        rise = config.warmup_rate if step < config.warmup else 1.0
    return rise * 0.1 ** sum(step >= fraction * config.steps for fraction in config.milestones)


def make_schedule(optimizer: SGD, config: TrainConfig, step: int = 0) -> LambdaLR:
    """Makes the schedule of a run whose next step is ``step``; every group of the optimiser has an ``initial_lr``."""
    return LambdaLR(optimizer, lambda at: rate_factor(config, at), last_epoch=step - 1)
