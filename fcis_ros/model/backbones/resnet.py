# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""ResNet up to conv5; in the paper's networks conv5 is dilated to stride 16. Parameter names are torchvision's."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.backbone import Backbone, FeatureLevel, dilations
from fcis_ros.model.convolution import conv_norm_relu

BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}


def conv3x3(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 convolution that a CPU trains with stride 1, on every ``stride``-th pixel: the same sum, from another kernel.

    For a stride above one, fewer than 16 input channels and one image, oneDNN's AVX-512 kernel of the weights' gradient writes
    beyond its buffer, in float32 and in bfloat16 (seen with oneDNN 3.12 of PyTorch 2.13).
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.is_cuda or not torch.is_grad_enabled():
            return super().forward(input)
        rows, columns = self.stride
        return F.conv2d(input[..., ::rows, ::columns], self.weight, self.bias)


def projection(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """Returns the projection of a shortcut, None where shapes do not change."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(PointwiseConv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions (ResNet-18 and 34)."""

    expansion = 1

    def __init__(self, inputs: int, channels: int, stride: int, dilation: int, stride_in_1x1: bool):
        super().__init__()
        self.conv1 = conv3x3(inputs, channels, stride, dilation)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels, 1, dilation)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = projection(inputs, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = conv_norm_relu(self.conv1, self.bn1, x)
        return conv_norm_relu(self.conv2, self.bn2, x, shortcut)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 (ResNet-50 and deeper)."""

    expansion = 4

    def __init__(self, inputs: int, channels: int, stride: int, dilation: int, stride_in_1x1: bool):
        super().__init__()
        first, second = (stride, 1) if stride_in_1x1 else (1, stride)
        self.conv1 = PointwiseConv2d(inputs, channels, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels, second, dilation)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.downsample = projection(inputs, channels * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = conv_norm_relu(self.conv1, self.bn1, x)
        x = conv_norm_relu(self.conv2, self.bn2, x)
        return conv_norm_relu(self.conv3, self.bn3, x, shortcut)


class ResNet(Backbone):
    """Maps [N, 3, H, W] to conv3, conv4 and conv5.

    A stage that keeps the resolution dilates all its 3x3 convolutions, the first one as well (section 3.1; [0032]). Padding is
    symmetric, so the centre of cell 0 is pixel 0 at every stride, or pixel 2 where the pooling has no padding.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        block = BasicBlock if config.backbone in ("resnet18", "resnet34") else Bottleneck
        channels = config.width
        self.conv1 = nn.Conv2d(3, channels, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        ceil = config.pool1 == "pad0_ceil"
        self.maxpool = nn.MaxPool2d(3, 2, padding=0 if ceil else 1, ceil_mode=ceil)
        inputs, stride, stages, levels = channels, 4, [], []
        counts = BLOCKS[config.backbone]
        geometry = ((4, 1), *zip(config.level_strides, dilations(config.level_strides), strict=True))
        for depth, (blocks, (wanted, dilation)) in enumerate(zip(counts, geometry, strict=True)):
            layers: OrderedDict[str, nn.Module] = OrderedDict()
            for i in range(blocks):
                layers[str(i)] = block(inputs, channels << depth, wanted // stride, dilation, config.stride_in_1x1)
                inputs, stride = (channels << depth) * block.expansion, wanted
            stages.append(nn.Sequential(layers))
            levels.append(FeatureLevel(stride, inputs, 2.0 if ceil else 0.0))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.levels = levels[1], levels[2], levels[3]
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def stages(self) -> list[list[nn.Module]]:
        return [[self.conv1, self.bn1], [self.layer1], [self.layer2], [self.layer3], [self.layer4]]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.maxpool(conv_norm_relu(self.conv1, self.bn1, images))
        c3 = self.layer2(self.layer1(x))
        c4 = self.layer3(c3)
        return c3, c4, self.layer4(c4)
