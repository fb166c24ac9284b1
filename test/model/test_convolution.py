# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fused convolutions. On the CPU cuDNN is played by its definition, in fp32; what it then gives is equal to the bit."""

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fcis_ros.config import ModelConfig
from fcis_ros.model import convolution
from fcis_ros.model.convolution import fold_batch_norm
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.same_convolution import SameConv2d


class Played:
    """In place of cuDNN's two functions; counts, and fails when it is told to."""

    def __init__(self):
        self.calls: list[bool] = []
        self.error: Exception | None = None

    def add_relu(self, x, weight, shortcut, alpha, bias, stride, padding, dilation, groups):
        assert alpha == 1
        if self.error is not None:
            raise self.error
        self.calls.append(shortcut is not None)
        result = F.conv2d(x, weight, bias, stride, padding, dilation, groups)
        return F.relu(result if shortcut is None else result + shortcut)

    def relu(self, x, weight, bias, *geometry):
        return self.add_relu(x, weight, None, 1, bias, *geometry)


@pytest.fixture
def played(monkeypatch) -> Played:
    played = Played()
    monkeypatch.setattr(convolution, "may_fuse", lambda conv, x: convolution.fits(conv))
    monkeypatch.setattr(convolution, "_not_fused", set())
    monkeypatch.setattr(torch, "cudnn_convolution_relu", played.relu)
    monkeypatch.setattr(torch, "cudnn_convolution_add_relu", played.add_relu)
    return played


def network(backbone: str = "resnet18") -> FCIS:
    """With a BatchNorm that does something, folded."""
    torch.manual_seed(0)
    model = FCIS(ModelConfig(class_names=("car",), backbone=backbone, width=8)).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 2)
            module.bias.data.uniform_(-0.5, 0.5)
    fold_batch_norm(model)
    return model.to(memory_format=torch.channels_last)


IMAGE = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def maps(model: FCIS) -> tuple[torch.Tensor, ...]:
    found = model.dense(IMAGE)
    return found.logits, found.deltas, found.score_maps, found.box_maps


# The 7x7 convolution has three input channels and is left apart; then the RPN's and the reduction of conv5.
@pytest.mark.parametrize(("backbone", "with_shortcut", "without"), [("resnet18", 8, 8 + 2), ("resnet50", 16, 32 + 2)])
def test_conv_relu_on_a_gpu_is_one_call_each(played, backbone, with_shortcut, without):
    model = network(backbone)
    fused = maps(model)
    assert (sum(played.calls), len(played.calls)) == (with_shortcut, with_shortcut + without)
    convolution.may_fuse = lambda conv, x: False  # undone by the fixture
    assert all(map(torch.equal, fused, maps(model)))
    assert len(played.calls) == with_shortcut + without


def test_conv_relu_on_a_cpu_is_not_fused():
    assert not convolution.may_fuse(network().rpn.conv, IMAGE)


def test_conv_relu_in_training_is_not_fused(played):
    model = FCIS(ModelConfig(class_names=("car",), backbone="resnet18", width=8))
    model.dense(IMAGE).logits.sum().backward()
    assert not played.calls and model.backbone.conv1.weight.grad.abs().max() > 0
    with torch.inference_mode():
        model.dense(IMAGE)  # BatchNorm is not folded: the RPN's and the reduction alone
    assert len(played.calls) == 2


def test_conv_relu_in_export_is_not_fused(played):
    block = network().backbone.layer1
    with torch.no_grad():
        names = {str(node.target) for node in torch.export.export(block, (torch.zeros(1, 8, 16, 16),)).graph.nodes}
    assert not played.calls and any("relu" in name for name in names) and not any("cudnn" in name for name in names)


def test_conv_relu_without_fused_algorithm_warns_once_per_kind(played):
    model = network()
    expected = maps(copy.deepcopy(model))
    played.error = RuntimeError("GET was unable to find an engine to execute this computation\nand more")
    with pytest.warns(UserWarning, match="no fused .* of torch.float32: GET was unable .* this computation$") as warned:
        assert all(map(torch.equal, maps(model), expected))
    assert 2 <= len(warned) < 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maps(model)


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("CUDA out of memory"), RuntimeError("an illegal access")])
def test_conv_relu_failing_gpu_is_an_error_and_not_remembered(played, monkeypatch, error):
    """Where memory is short, or the parts fail, too, the fused algorithm is not at fault."""
    played.error = error
    if type(error) is RuntimeError:
        monkeypatch.setattr(nn.Conv2d, "forward", lambda conv, x: played.relu(x, conv.weight, conv.bias, 1, 0, 1, 1))
    with torch.inference_mode(), pytest.raises(type(error), match=str(error)):
        convolution.conv_relu(nn.Conv2d(8, 8, 1), torch.zeros(1, 8, 4, 4))
    assert not convolution._not_fused


@pytest.mark.parametrize("length", [9, 12])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_conv_relu6_of_same_convolutions_equals_the_parts(dtype, length):
    """In one call of oneDNN where the CPU can, of an odd and an even length with stride 2, depthwise and not."""
    torch.manual_seed(0)
    x = (torch.randn(2, 8, length, length) * 9).to(dtype).contiguous(memory_format=torch.channels_last)
    for groups, stride in ((1, 1), (1, 2), (8, 1), (8, 2)):
        conv = SameConv2d(8, 8, 3, stride, groups=groups)
        conv.bias = nn.Parameter(torch.randn(8))
        conv = conv.to(dtype)
        with torch.inference_mode():
            found, expected = convolution.conv_relu6(conv, x, conv.weight, conv.bias), F.relu6(conv(x))
        assert found.dtype == dtype and (found.min(), found.max()) == (0, 6)
        torch.testing.assert_close(found, expected)


@pytest.mark.cuda
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-4), (torch.float16, 1e-2), (torch.bfloat16, 6e-2)])
def test_conv_relu_cudnn_equals_the_parts(dtype, limit, monkeypatch, recwarn):
    """Within the rounding of the dtype; no kind of convolution is left apart but in fp32, which tensor cores do not know."""
    calls = []
    one, other = torch.cudnn_convolution_relu, torch.cudnn_convolution_add_relu
    monkeypatch.setattr(torch, "cudnn_convolution_relu", lambda *args: calls.append(0) or one(*args))
    monkeypatch.setattr(torch, "cudnn_convolution_add_relu", lambda *args: calls.append(1) or other(*args))
    model, image = network("resnet50").cuda(), IMAGE.to("cuda").to(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        expected = model.backbone(image)[2]
        calls.clear()
        found = model.to(dtype).backbone(image.to(dtype))[2].float()
    assert len(calls) == 48
    assert dtype == torch.float32 or not [warning for warning in recwarn if "fused" in str(warning.message)]
    reference = copy.deepcopy(model).float().cpu()
    with torch.inference_mode():
        exact = reference.backbone(IMAGE)[2]
    assert (expected.cpu() - exact).abs().max() <= 1e-3 * exact.abs().max()
    assert (found.cpu() - exact).abs().max() <= limit * exact.abs().max()
