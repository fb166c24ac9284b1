# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""conv5 features -> position-sensitive inside/outside score maps and box maps."""

import torch
from torch import Tensor, nn

from fcis_ros.config import ModelConfig
from fcis_ros.model.convolution import conv_relu, initialise_head
from fcis_ros.ops.layout import padded_classes, padding_of


class ScoreMaps(nn.Module):
    """The whole head: a 1x1 reduction and two sibling 1x1 convolutions; nothing is computed per ROI (section 3.1; [0034]).

    Outputs score maps [N, k*k*P*2, h, w], channel ((i*k + j)*P + class)*2 + s with s = 0 outside and 1 inside, P being C + 1
    padded (``ops.layout``), and box maps [N, k*k*4, h, w], channel (i*k + j)*4 + d. The released model orders class, side, bin;
    it has 8*k*k box channels, of which 4*k*k are used. With ``more_bins`` the channels of every further k follow. Weights and
    biases of the padding are zero; as nothing reads its outputs, they stay zero in training.
    """

    def __init__(self, inputs: int, config: ModelConfig):
        super().__init__()
        bins = config.bin_count
        self.reduce = nn.Conv2d(inputs, config.reduced_channels, 1)
        self.score = nn.Conv2d(config.reduced_channels, bins * padded_classes(config.num_classes) * 2, 1)
        self.box = nn.Conv2d(config.reduced_channels, 4 * bins, 1)
        initialise_head(self.reduce, self.score, self.box)
        with torch.no_grad():
            padding_of(self.score.weight, bins, config.num_classes).zero_()

    def forward(self, c5: Tensor) -> tuple[Tensor, Tensor]:
        x = conv_relu(self.reduce, c5)
        return self.score(x), self.box(x)
