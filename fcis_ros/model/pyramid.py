# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``features: pyramid``: conv3, conv4 and conv5, joined top-down into one map of the configured stride.

After feature pyramid networks (Lin et al., CVPR 2017), but with one output map: anchors, score maps and ROIs read one stride.
It is beyond the patent, which reads the last convolution; what the heads compute from the map is the same.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.backbone import FeatureLevel
from fcis_ros.model.convolution import conv_norm_relu
from fcis_ros.model.same_convolution import SameConv2d

BLOCKS = 3  # behind the join
SIDE = 5  # of their depthwise convolutions: three blocks see 12 cells around a cell


class SeparableBlock(nn.Module):
    """A residual block of a depthwise and a 1x1 convolution, with a tenth of the multiplications of a full 3x3."""

    def __init__(self, channels: int):
        super().__init__()
        self.depthwise = SameConv2d(channels, channels, SIDE, groups=channels)
        self.norm1 = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return conv_norm_relu(self.pointwise, self.norm2, conv_norm_relu(self.depthwise, self.norm1, x), x)


def enlarge(coarse: Tensor, like: Tensor, centre_first: bool) -> Tensor:
    """Doubles a map [N, C, h, w] bilinearly to the size of ``like``, about [N, C, 2h, 2w].

    Args:
        coarse: the map.
        like: map of half the stride.
        centre_first: whether the centre of coarse cell i is that of fine cell 2i; otherwise it is that of cell 2i + 1.
    """
    height, width = coarse.shape[2:]
    edge = slice(-1, None) if centre_first else slice(0, 1)
    order = 1 if centre_first else -1
    padded = torch.cat([coarse, coarse[:, :, edge]][::order], dim=2)  # PyTorch 2.4 has no replicating pad of float16 on CPUs
    padded = torch.cat([padded, padded[:, :, :, edge]][::order], dim=3)
    between = F.interpolate(padded, size=(2 * height + 1, 2 * width + 1), mode="bilinear", align_corners=True)
    between = between.to(like.dtype)  # CPU autocast interpolates in float32
    start = 0 if centre_first else 1
    return between[:, :, start : start + like.shape[2], start : start + like.shape[3]]


class Pyramid(nn.Module):
    """Maps conv3, conv4 and conv5 to one map [N, ``pyramid_channels``, h, w] of ``config.stride``."""

    def __init__(self, levels: tuple[FeatureLevel, ...], config: ModelConfig):
        super().__init__()
        self.levels = [level for level in levels if level.stride >= config.stride]
        self.skipped = len(levels) - len(self.levels)
        channels = config.pyramid_channels
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(level.channels, channels, 1, bias=False), nn.BatchNorm2d(channels)) for level in self.levels
        )
        self.blocks = nn.Sequential(*(SeparableBlock(channels) for _ in range(BLOCKS)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, maps: tuple[Tensor, ...]) -> Tensor:
        parts = [lateral(x) for lateral, x in zip(self.lateral, maps[self.skipped :], strict=True)]
        joined = parts[-1]
        for index in reversed(range(len(parts) - 1)):
            first = self.levels[index + 1].centre == self.levels[index].centre
            joined = parts[index] + enlarge(joined, parts[index], first)
        return self.blocks(F.relu(joined, inplace=True))
