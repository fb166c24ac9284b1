# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.resnet import PointwiseConv2d, ResNet

# One image through a narrow network and back; glibc's checking allocator ends a process that wrote beyond the end of a block.
TRAIN_NARROW = """
import torch
from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.resnet import ResNet
torch.manual_seed(0)
model = ResNet(ModelConfig(class_names=("car",), backbone="resnet18", width=8)).train().to(memory_format=torch.channels_last)
for dtype in (torch.float32, torch.bfloat16):
    for _ in range(5):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            c5 = model(torch.randn(1, 3, 192, 256).contiguous(memory_format=torch.channels_last))[2]
        c5.float().sum().backward()
"""


def resnet(**changes) -> ResNet:
    return ResNet(ModelConfig(class_names=("car",), **{"width": 8, **changes})).eval()


@pytest.mark.parametrize(
    ("name", "parameters"),
    # torchvision's counts without the classifier.
    [("resnet18", 11_176_512), ("resnet34", 21_284_672), ("resnet50", 23_508_032), ("resnet101", 42_500_160),
     ("resnet152", 58_143_808)],
)  # fmt: skip
def test_resnet_parameters_equal_torchvisions(name, parameters):
    with torch.device("meta"):
        model = ResNet(ModelConfig(class_names=("car",), backbone=name))
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_resnet_strides_are_8_and_16_and_pool1_conventions_differ():
    image = torch.randn(1, 3, 600, 1000, generator=torch.Generator().manual_seed(0))
    a, b = resnet(backbone="resnet18", pool1="pad0_ceil"), resnet(backbone="resnet18", pool1="pad1_floor")
    b.load_state_dict(a.state_dict())
    with torch.no_grad():
        maps = [model(image) for model in (a, b)]
    assert [[level.shape for level in found] for found in maps] == [[(1, 16, 75, 125), (1, 32, 38, 63), (1, 64, 38, 63)]] * 2
    assert not torch.allclose(maps[0][1], maps[1][1])


def test_resnet_bottlenecks_have_strides_and_dilations_of_the_configuration():
    for first, strides in ((True, [(2, 2), (1, 1)]), (False, [(1, 1), (2, 2)])):
        model = resnet(backbone="resnet50", stride_in_1x1=first)
        assert [model.layer2[0].conv1.stride, model.layer2[0].conv2.stride] == strides
        assert [block.conv2.dilation for block in model.layer4] == [(2, 2)] * 3


@pytest.mark.parametrize(("backbone", "stride_in_1x1"), [("resnet18", True), ("resnet50", True), ("resnet50", False)])
def test_resnet_stride_8_has_the_values_of_stride_16_between_others(backbone, stride_in_1x1):
    """The hole algorithm, for odd sizes as well: every second cell sees what a cell of the strided network sees.

    But for the 3x3 convolution that had the stride: it is dilated like those behind it, so that here its middle alone is read.
    """
    torch.manual_seed(0)
    few, many = (resnet(backbone=backbone, stride_in_1x1=stride_in_1x1, stride=stride) for stride in (16, 8))
    weights = few.state_dict()
    if backbone == "resnet18" or not stride_in_1x1:
        strided = weights["layer3.0.conv1.weight" if backbone == "resnet18" else "layer3.0.conv2.weight"]
        strided[:, :, [0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 0, 2, 0, 1, 2]] = 0
    many.load_state_dict(weights)
    image = torch.randn(1, 3, 70, 100)
    with torch.no_grad():
        (few3, *strided_maps), (many3, *dilated_maps) = few(image), many(image)
    assert torch.equal(few3, many3)
    for strided_map, dilated_map in zip(strided_maps, dilated_maps, strict=True):
        assert dilated_map.shape[2:] == many3.shape[2:]
        torch.testing.assert_close(dilated_map[:, :, ::2, ::2], strided_map, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pool1", ["pad0_ceil", "pad1_floor"])
@pytest.mark.parametrize(("stride", "features"), [(16, "c5"), (8, "c5"), (16, "pyramid")])
def test_resnet_centres_of_cells_are_where_levels_say(pool1, stride, features):
    """Convolutions pass on the middle of what they see, the pooling the mean, so a column of a slope shows a cell's centre."""
    model = resnet(backbone="resnet18", pool1=pool1, stride=stride, features=features)
    model.maxpool = nn.AvgPool2d(3, 2, model.maxpool.padding, model.maxpool.ceil_mode)
    slope = torch.arange(100.0, dtype=torch.float64).expand(1, 3, 70, 100)
    with torch.no_grad():
        for module in model.double().modules():
            if isinstance(module, nn.Conv2d):
                middle = module.kernel_size[0] // 2
                module.weight.zero_()[..., middle, middle] = 1 / module.in_channels
        for level, cells, unit in zip(model.levels, model(slope), model(torch.ones_like(slope)), strict=True):
            columns = (cells / unit)[0, 0, 2, 1:-1]
            expected = level.centre + level.stride * torch.arange(1.0, len(columns) + 1, dtype=torch.float64)
            assert len(columns) and level.channels == cells.shape[1]
            torch.testing.assert_close(columns, expected)


def test_resnet_stages_hold_every_parameter_once():
    model = resnet(backbone="resnet50")
    listed = [id(parameter) for stage in model.stages() for module in stage for parameter in module.parameters()]
    assert len(model.stages()) == 5 and sorted(listed) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize("stride", [1, 2])
def test_pointwise_conv2d_with_gradients_equals_strided_convolution(stride):
    torch.manual_seed(0)
    conv = PointwiseConv2d(16, 24, 1, stride, bias=False)
    x = torch.randn(2, 16, 9, 14).contiguous(memory_format=torch.channels_last)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    found = conv(ours)
    expected = nn.functional.conv2d(theirs, conv.weight, stride=stride)
    with torch.no_grad():
        assert torch.equal(conv(x), expected)
    torch.testing.assert_close(found, expected)
    found_gradients, expected_gradients = (
        torch.autograd.grad((y * y).sum(), [image, conv.weight]) for y, image in ((found, ours), (expected, theirs))
    )
    for one, other in zip(found_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_resnet_narrow_trained_on_one_image_stays_within_its_buffers():
    """Fails on CPUs with AVX-512 where a strided 1x1 convolution of 8 channels is trained by oneDNN's kernel."""
    checking = os.environ | {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"}  # the loader warns without it
    done = subprocess.run([sys.executable, "-c", TRAIN_NARROW], env=checking, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
