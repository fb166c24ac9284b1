# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The per-ROI sub-network of MNC (Dai et al., Instance-aware Semantic Segmentation via Multi-task Network Cascades, CVPR 2016).

Features of every ROI are warped to one size; fully connected layers make its mask; fully connected layers behind the masked
and the whole features, side by side, make its class and box.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.prior_work.network import Answers
from experiments.prior_work.warping import warp
from fcis_ros.config import ModelConfig

WARPED, POOLED = 14, 7  # cells a side: of the features that are warped, and of those behind the pooling; as in the paper


@dataclass(frozen=True)
class Widths:
    """Widths of the layers; MNC in the paper, on VGG-16: 512, 256 and 4096.

    Attributes:
        channels: number of channels of the features that are warped.
        mask: width of the hidden layer in front of the mask.
        box: width of the two layers of each pathway.
    """

    channels: int
    mask: int
    box: int


PAPER = Widths(512, 256, 4096)
SMALL = Widths(128, 128, 512)  # for the default model, whose backbone is as narrow


class Recognition(nn.Module):
    """MNC's third stage: warped features and masks -> classes and boxes; InstanceFCN needs it as well, behind its masks."""

    def __init__(self, config: ModelConfig, widths: Widths):
        super().__init__()

        def pathway() -> nn.Sequential:
            inputs = widths.channels * POOLED**2
            return nn.Sequential(
                nn.Flatten(), nn.Linear(inputs, widths.box), nn.ReLU(), nn.Linear(widths.box, widths.box), nn.ReLU()
            )

        self.masked, self.whole = pathway(), pathway()
        self.score, self.box = nn.Linear(2 * widths.box, config.num_classes), nn.Linear(2 * widths.box, 4)
        initialise(self)

    def forward(self, warped: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """[R, D, 14, 14] and probabilities [R, 1, S, S] -> class logits [R, C+1] and deltas [R, 4]."""
        masks = F.interpolate(masks, size=(WARPED, WARPED), mode="bilinear")
        masked, whole = F.max_pool2d(warped * masks, WARPED // POOLED), F.max_pool2d(warped, WARPED // POOLED)
        joint = torch.cat([self.masked(masked), self.whole(whole)], dim=1)
        return self.score(joint), self.box(joint)


class MncHead(nn.Module):
    """Mask, then class and box, of every ROI by itself."""

    def __init__(self, inputs: int, config: ModelConfig, widths: Widths):
        super().__init__()
        self.grid, self.stride = config.grid, config.stride
        self.reduce = nn.Conv2d(inputs, widths.channels, 1)
        self.mask = nn.Sequential(
            nn.Flatten(), nn.Linear(widths.channels * WARPED**2, widths.mask), nn.ReLU(), nn.Linear(widths.mask, config.grid**2)
        )
        initialise(self)
        self.recognition = Recognition(config, widths)

    def maps(self, c5: Tensor) -> Tensor:
        """Features [N, D, h, w] of [N, C5, h, w]."""
        return F.relu(self.reduce(c5), inplace=True)

    def forward(self, features: Tensor, rois: Tensor, labels: Tensor | None = None) -> Answers:
        """The mask is of no class: ``labels`` are not looked at."""
        warped = warp(features, rois[:, 1:], WARPED, self.stride)
        inside = self.mask(warped).reshape(-1, 1, self.grid, self.grid)
        class_logits, deltas = self.recognition(warped, torch.sigmoid(inside))
        return Answers(class_logits, torch.cat([torch.zeros_like(inside), inside], dim=1), deltas)

    def per_roi_parameters(self) -> int:
        """Those whose layers run once per ROI."""
        return sum(p.numel() for part in (self.mask, self.recognition) for p in part.parameters())


def initialise(module: nn.Module) -> None:
    """As the package initialises its heads: hidden layers for ReLU, last layers small."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
            if name in ("score", "box", "mask.3", "parts", "objectness.2"):
                nn.init.normal_(layer.weight, std=0.01)
