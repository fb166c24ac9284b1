# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite. Where its channels do not matter, it has few of them, and as many blocks as Lite0."""

import json
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from original_efficientnet_lite import LOGITS, SIZES, network_input, picture
from torch import nn

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model.backbones import efficientnet_lite
from fcis_ros.model.backbones.efficientnet_lite import STAGES, ConvNorm, EfficientNetLite, InvertedBottleneck, scaled_channels
from fcis_ros.model.checkpoint import blueprint
from fcis_ros.model.convolution import fold_batch_norm
from fcis_ros.model.precision import cast
from fcis_ros.model.same_convolution import SameConv2d
from fcis_ros.training.pretrained import find_pretrained, read_pretrained

# Eight channels more in each stage: with equal ones a first block that keeps the resolution would have a shortcut.
NARROW = [(*shape, min(expansion, 2), 8 * number) for number, (*shape, expansion, _) in enumerate(STAGES, 1)]
GEOMETRIES = [(16, "c5"), (8, "c5"), (16, "pyramid"), (8, "pyramid")]


def narrow(stride: int = 16, features: str = "c5") -> EfficientNetLite:
    """Seed 0, with a BatchNorm that does something."""
    torch.manual_seed(0)
    config = ModelConfig(class_names=("car",), backbone="efficientnet_lite0", stride=stride, features=features)
    with patch.object(efficientnet_lite, "STAGES", NARROW):
        model = EfficientNetLite(config).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.bias.data.uniform_(0, 2)
    return model.requires_grad_(False)


@pytest.mark.parametrize(
    ("name", "parameters", "channels"),
    # Those of the published networks without the last convolution, its BatchNorm and the classifier.
    [
        ("efficientnet_lite0", 4_652_008 - (320 + 2) * 1280 - 1281 * 1000, [40, 112, 320]),
        ("efficientnet_lite1", 5_416_680 - (320 + 2) * 1280 - 1281 * 1000, [40, 112, 320]),
        ("efficientnet_lite2", 6_092_072 - (352 + 2) * 1280 - 1281 * 1000, [48, 120, 352]),
    ],
)
def test_efficientnet_lite_parameters_equal_the_originals(name, parameters, channels):
    model = blueprint(ModelConfig(class_names=("car",), backbone=name)).backbone
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert [level.channels for level in model.levels] == channels


@pytest.mark.parametrize(("channels", "scaled"), [(16, 16), (24, 24), (40, 48), (80, 88), (112, 120), (192, 208), (320, 352)])
def test_scaled_channels_are_those_of_lite2(channels, scaled):
    assert scaled_channels(channels, 1.1) == scaled


@pytest.mark.parametrize(
    "backbone", [pytest.param(name, marks=[pytest.mark.pretrained] if name == "efficientnet_lite0" else []) for name in SIZES]
)
def test_efficientnet_lite_logits_equal_the_original_networks(backbone):
    """With the weights of the installed package; behind our last stage come the original's last layers, from its file."""
    try:
        source = find_pretrained(backbone)
    except InputError as error:
        pytest.skip(str(error))
    expected = json.loads(LOGITS.read_text())[backbone]
    model = EfficientNetLite(ModelConfig(class_names=("car",), backbone=backbone, features="pyramid")).eval()
    missing, unexpected = model.load_state_dict(read_pretrained(source), strict=False)
    assert all(name.endswith("num_batches_tracked") for name in missing) and not unexpected
    theirs = torch.load(source.path, weights_only=True)
    with torch.no_grad():
        _, _, c5 = model.feature_maps(network_input(picture(SIZES[backbone])))
        norm = [theirs[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        head = F.relu6(F.batch_norm(F.conv2d(c5, theirs["_conv_head.weight"]), *norm, eps=1e-3))
        logits = F.linear(head.mean(dim=(2, 3)), theirs["_fc.weight"], theirs["_fc.bias"])[0]
    assert [str(label) for label in logits.topk(5).indices.tolist()] == list(expected)[:5]
    for label, value in expected.items():
        assert float(logits[int(label)]) == pytest.approx(value, abs=1e-3), label


def passing_middles(model: EfficientNetLite) -> EfficientNetLite:
    """Makes every convolution pass on the middle of what it sees: a cell then shows one pixel, its centre."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            middle = module.kernel_size[0] // 2
            module.weight.zero_()[..., middle, middle] = 1 / module.weight.shape[1]
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            module.eps = 0
        elif isinstance(module, InvertedBottleneck):
            module.shortcut = False  # it passes on the middle as well
    return model


MIDDLES = {geometry: passing_middles(narrow(*geometry)) for geometry in GEOMETRIES}


@given(st.sampled_from(GEOMETRIES), st.integers(1, 70), st.integers(1, 70))
def test_efficientnet_lite_any_size_centres_of_cells_are_where_levels_say(geometry, height, width):
    """Two images: each pixel of the one shows the number of its row, from 1 on, of the other that of its column."""
    model = MIDDLES[geometry]
    y, x = torch.meshgrid(torch.arange(1, height + 1), torch.arange(1, width + 1), indexing="ij")
    found = model(torch.stack([y, x])[:, None].expand(2, 3, height, width) / 32)  # below six
    for level, (rows, columns) in zip(model.levels, (cells[:, 0] * 32 for cells in found), strict=True):
        y, x = (level.centre + level.stride * torch.arange(count) for count in rows.shape)
        shown = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))  # elsewhere is the padding
        assert torch.equal(rows.round(decimals=2), torch.where(shown, y[:, None] + 1, 0).float())
        assert torch.equal(columns.round(decimals=2), torch.where(shown, x + 1, 0).float())
    fine = next(level for level in model.levels if level.stride == geometry[0])
    assert abs(fine.centre - (fine.stride - 1) / 2) == 0.5  # the middle of the cell, up to half a pixel
    for cells, level in zip(found, model.levels, strict=True):
        assert cells.shape[2] * level.stride >= height and cells.shape[3] * level.stride >= width
        assert [side * level.stride for side in cells.shape[2:]] == [side * 8 for side in found[0].shape[2:]]


@pytest.mark.parametrize(("stride", "steps"), [(16, (1, 1, 2)), (8, (1, 2, 4))])
def test_efficientnet_lite_dilated_stages_have_the_values_of_strided_ones(stride, steps):
    """A strided stage has the second of two cells; the dilated one has it and others between."""
    strided, dilated = narrow(features="pyramid"), narrow(stride)
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    for few, many, step in zip(strided.feature_maps(image), dilated.feature_maps(image), steps, strict=True):
        assert many.shape[2] == few.shape[2] * step
        torch.testing.assert_close(many[..., step - 1 :: step, step - 1 :: step], few, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-4), ("bf16", 0.06), ("fp16", 0.01)])
def test_efficientnet_lite_folded_keeps_the_function_and_its_limit_of_six(precision, limit):
    model = narrow(8, "pyramid")
    image = torch.randn(1, 3, 40, 50, generator=torch.Generator().manual_seed(1)) * 4
    before = model(image)
    fold_batch_norm(model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    cast(model, precision)
    most = []
    for module in model.modules():
        if isinstance(module, ConvNorm) and module.relu:
            module.register_forward_hook(lambda *arguments: most.append(float(arguments[-1].detach().max())))
    with torch.inference_mode():
        after = model(image.to(model.stem.conv.weight.dtype))
    assert max(most) == 6
    for a, b in zip(before, after, strict=True):
        assert b.dtype == model.stem.conv.weight.dtype
        assert (a - b.float()).abs().max() <= limit * a.abs().max()


def test_efficientnet_lite_new_weights_keep_the_size_of_values():
    """Without BatchNorm's help: its statistics are those of a new network, zero and one."""
    torch.manual_seed(0)
    model = EfficientNetLite(ModelConfig(class_names=("car",), backbone="efficientnet_lite0")).eval()
    with torch.no_grad():
        assert all(0.1 < found.std() < 10 for found in model(torch.randn(1, 3, 64, 64)))


def test_efficientnet_lite_stages_hold_every_parameter_once():
    model = narrow()
    listed = [id(parameter) for stage in model.stages() for module in stage for parameter in module.parameters()]
    assert len(model.stages()) == 8 and sorted(listed) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize("relu", [True, False])
def test_conv_norm_kept_statistics_give_batch_norms_results_and_gradients(relu):
    """Folded in each step: results and gradients of weight, scale and shift are those of the two layers, seed 0, fp32."""
    torch.manual_seed(0)
    for conv in (nn.Conv2d(8, 16, 1, bias=False), SameConv2d(8, 8, 5, stride=2, groups=8)):
        layer = ConvNorm(conv, relu).train()
        layer.norm.eval()
        for tensor in (layer.norm.running_var, layer.norm.weight.data):
            tensor.uniform_(0.5, 2)
        layer.norm.running_mean.normal_()
        x = torch.randn(2, 8, 9, 12).contiguous(memory_format=torch.channels_last)
        expected = layer.norm(layer.conv(x))
        expected = expected.clamp(0, 6) if relu else expected
        found = layer(x)
        torch.testing.assert_close(found, expected)
        parameters = list(layer.parameters())
        for one, other in zip(
            torch.autograd.grad((found * found).sum(), parameters),
            torch.autograd.grad((expected * expected).sum(), parameters),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_conv_norm_frozen_under_autocast_is_computed_in_bfloat16():
    """Frozen layers of a network in training take the fused call where the CPU has it; they ask for no gradient."""
    torch.manual_seed(0)
    layer = ConvNorm(nn.Conv2d(8, 16, 1, bias=False)).requires_grad_(False).eval()
    x = torch.randn(1, 8, 9, 12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(x)
    assert found.dtype == torch.bfloat16 and not found.requires_grad
    torch.testing.assert_close(found.float(), layer(x), rtol=0.02, atol=0.02)
