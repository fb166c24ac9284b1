# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the heads and the trainer need of a backbone. A new backbone is one file beside this one and a line in ``choice.py``."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

NOMINAL_STRIDES = (8, 16, 32)  # of conv3, conv4 and conv5 in a classifier


@dataclass(frozen=True)
class FeatureLevel:
    """Geometry of a feature map.

    Attributes:
        stride: number of image pixels per cell, in both directions.
        channels: number of channels.
        centre: image row and column of the centre of cell 0, in pixels.
    """

    stride: int
    channels: int
    centre: float


class Backbone(nn.Module, ABC):
    """Maps images [N, 3, H, W] to three feature maps [N, C, h, w], finest first.

    The last stages of a classifier have strides 8, 16 and 32. Where a stride of ``config.level_strides`` is smaller, the stage
    keeps the resolution and dilates its convolutions instead ("hole algorithm": section 3.1; [0032]).

    Attributes:
        levels: geometry of the three feature maps.
    """

    levels: tuple[FeatureLevel, FeatureLevel, FeatureLevel]

    @abstractmethod
    def stages(self) -> list[list[nn.Module]]:
        """Returns the modules of each stage, from the image on: what ``frozen_stages`` counts."""


def dilations(strides: Sequence[int]) -> tuple[int, ...]:
    """Returns the dilation of each level's convolutions that makes up for its stride."""
    return tuple(nominal // stride for nominal, stride in zip(NOMINAL_STRIDES, strides, strict=True))
