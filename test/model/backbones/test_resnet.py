# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.backbone import fold_batch_norm
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


def test_resnet_strides_are_16_and_pool1_conventions_differ():
    image = torch.randn(1, 3, 600, 1000, generator=torch.Generator().manual_seed(0))
    a, b = resnet(backbone="resnet18", pool1="pad0_ceil"), resnet(backbone="resnet18", pool1="pad1_floor")
    b.load_state_dict(a.state_dict())
    with torch.no_grad():
        maps = [model(image) for model in (a, b)]
    assert [(c4.shape, c5.shape) for c4, c5 in maps] == [((1, 32, 38, 63), (1, 64, 38, 63))] * 2
    assert not torch.allclose(maps[0][0], maps[1][0])


def test_resnet_bottlenecks_have_strides_and_dilations_of_the_configuration():
    for first, strides in ((True, [(2, 2), (1, 1)]), (False, [(1, 1), (2, 2)])):
        model = resnet(backbone="resnet50", stride_in_1x1=first)
        assert [model.layer2[0].conv1.stride, model.layer2[0].conv2.stride] == strides
        assert [block.conv2.dilation for block in model.layer4] == [(2, 2)] * 3


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_fold_batch_norm_keeps_the_function(name):
    generator = torch.Generator().manual_seed(0)
    model = resnet(backbone=name)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
    image = torch.randn(1, 3, 64, 96, generator=generator)
    with torch.no_grad():
        before = model(image)
        fold_batch_norm(model)
        after = model(image)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    for a, b in zip(before, after, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-3 * float(a.abs().max()))


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
