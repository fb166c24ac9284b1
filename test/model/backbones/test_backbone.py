# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import nn

from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.backbone import dilations
from fcis_ros.model.backbones.resnet import ResNet
from fcis_ros.model.convolution import fold_batch_norm


@pytest.mark.parametrize(("strides", "expected"), [((8, 16, 32), (1, 1, 1)), ((8, 16, 16), (1, 1, 2)), ((8, 8, 8), (1, 2, 4))])
def test_dilations_make_up_for_the_stride(strides, expected):
    assert dilations(strides) == expected


def test_fold_batch_norm_one_channel_is_arithmetic():
    """(3x - 5) / sqrt(4 - 1e-3 + 1e-3) * 2 + 1 is 3x - 4."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1, eps=1e-3), nn.ReLU()).eval()
    with torch.no_grad():
        for tensor, value in ((model[0].weight, 3), (model[1].weight, 2), (model[1].bias, 1)):
            tensor.fill_(value)
        model[1].running_mean.fill_(5)
        model[1].running_var.fill_(4 - 1e-3)
    fold_batch_norm(model)
    assert [type(module) for module in model] == [nn.Conv2d, nn.Identity, nn.ReLU]
    torch.testing.assert_close([model[0].weight.item(), model[0].bias.item()], [3.0, -4.0])


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_fold_batch_norm_keeps_the_function(name):
    generator = torch.Generator().manual_seed(0)
    model = ResNet(ModelConfig(class_names=("car",), backbone=name, width=8)).eval()
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
