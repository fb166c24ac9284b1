# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite (Google, 2020): EfficientNet without squeeze-and-excitation, with ReLU6; its ImageNet weights are free.

Its weights come from TensorFlow, whose "SAME" padding puts the odd pixel at the end. They expect (x - 127) / 128.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.backbone import Backbone, FeatureLevel, dilations
from fcis_ros.model.convolution import conv_relu6, folded
from fcis_ros.model.same_convolution import SameConv2d, convolve

# Blocks, kernel side, stride, expansion of the channels and output channels of each stage; scaled by WIDTH_AND_DEPTH.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
WIDTH_AND_DEPTH = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite1": (1.0, 1.1), "efficientnet_lite2": (1.1, 1.2)}
LEVEL_OF_STAGE = (None, None, 0, 1, 1, 2, 2)  # index in ``Backbone.levels`` of the resolution of each stage
STEM_CHANNELS = 32
EPSILON, MOMENTUM = 1e-3, 0.01  # of BatchNorm, as trained


def scaled_channels(channels: int, factor: float) -> int:
    """Returns a multiple of eight near ``factor`` times ``channels``, less than a tenth below it."""
    scaled = max(8, int(channels * factor + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * channels * factor else scaled


def scaled_blocks(blocks: int, stage: int, factor: float) -> int:
    """Returns the number of blocks of a stage; the first and the last stage are not scaled."""
    return blocks if stage in (0, len(STAGES) - 1) else math.ceil(blocks * factor)


class ConvNorm(nn.Module):
    """A convolution, BatchNorm, and ReLU6 where ``relu`` is true.

    BatchNorm that keeps its statistics is folded into the weights in training, too: a quarter of a step's time.
    """

    def __init__(self, conv: nn.Conv2d, relu: bool = True):
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels, eps=EPSILON, momentum=MOMENTUM)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        norm, weight, bias = self.norm, self.conv.weight, self.conv.bias
        if isinstance(norm, nn.BatchNorm2d):
            if norm.training:
                x = norm(self.conv(x))
                return F.relu6(x, inplace=True) if self.relu else x
            weight, bias = folded(self.conv, norm)
        assert bias is not None  # of the folded BatchNorm
        return conv_relu6(self.conv, x, weight, bias) if self.relu else convolve(self.conv, x, weight, bias)


class InvertedBottleneck(nn.Module):
    """A 1x1 convolution that widens, a depthwise one, a 1x1 one that narrows (MobileNetV2); a shortcut where shapes allow."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int, dilation: int, expansion: int):
        super().__init__()
        wide = inputs * expansion
        self.expand = ConvNorm(nn.Conv2d(inputs, wide, 1, bias=False)) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(SameConv2d(wide, wide, side, stride, dilation, groups=wide))
        self.project = ConvNorm(nn.Conv2d(wide, outputs, 1, bias=False), relu=False)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        result = self.project(self.depthwise(self.expand(x)))
        return result + x if self.shortcut else result


class EfficientNetLite(Backbone):
    """Maps [N, 3, H, W] to the outputs of stages 3, 5 and 7.

    With "SAME" padding the centre of a cell lies at the cell's last pixel if the image's sides are multiples of all strides,
    and elsewhere if not. So images are padded to such multiples, and by half a cell of ``config.stride`` at the top and left,
    which brings the centres of that stride where the operators and the anchors expect them.

    A stage that keeps the resolution dilates all but its first depthwise convolution: its values at the cells that the strided
    stage has are the same.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        width, depth = WIDTH_AND_DEPTH[config.backbone]
        self.stem = ConvNorm(SameConv2d(3, STEM_CHANNELS, 3, stride=2))
        inputs, stride, stages, channels = STEM_CHANNELS, 2, [], {}
        for index, ((blocks, side, step, expansion, outputs), level) in enumerate(zip(STAGES, LEVEL_OF_STAGE, strict=True)):
            outputs = scaled_channels(outputs, width)
            dilation = 1 if level is None else dilations(config.level_strides)[level]
            wanted = stride * step if level is None else config.level_strides[level]
            layers = []
            for block in range(scaled_blocks(blocks, index, depth)):
                first = block == 0 and step > 1  # takes the dilation of the stage before: stride times dilation is kept
                block_dilation = dilation * wanted // (stride * step) if first else dilation
                layers.append(InvertedBottleneck(inputs, outputs, side, wanted // stride, block_dilation, expansion))
                inputs, stride = outputs, wanted
            stages.append(nn.Sequential(*layers))
            channels[level] = outputs
        self.blocks = nn.ModuleList(stages)
        self.shift = config.stride // 2
        self.multiple = max(config.level_strides)
        fine, middle, coarse = (
            FeatureLevel(stride, channels[level], stride - 1 - self.shift) for level, stride in enumerate(config.level_strides)
        )
        self.levels = fine, middle, coarse
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # PyTorch multiplies the outgoing connections of a channel by the number of groups.
                nn.init.kaiming_normal_(module.weight, mode="fan_out" if module.groups == 1 else "fan_in", nonlinearity="relu")

    def stages(self) -> list[list[nn.Module]]:
        return [[self.stem], *([stage] for stage in self.blocks)]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        right, bottom = (-(length + self.shift) % self.multiple for length in images.shape[:1:-1])
        return self.feature_maps(F.pad(images, (self.shift, right, self.shift, bottom)))

    def feature_maps(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Computes the outputs of stages 3, 5 and 7 of images of any size, padded as in the original network."""
        x, outputs = self.stem(images), []
        for stage in self.blocks:
            x = stage(x)
            outputs.append(x)
        return outputs[2], outputs[4], outputs[6]
