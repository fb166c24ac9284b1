# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.backbone import FeatureLevel
from fcis_ros.model.backbones.choice import make_backbone
from fcis_ros.model.convolution import fold_batch_norm
from fcis_ros.model.precision import cast
from fcis_ros.model.pyramid import Pyramid, enlarge

CONFIG = ModelConfig(class_names=("car",), backbone="resnet18", stride=8, features="pyramid", pyramid_channels=8)
LEVELS = tuple(FeatureLevel(stride, channels, 0.0) for stride, channels in ((8, 4), (16, 5), (32, 6)))


def maps(rows: int = 8, columns: int = 12) -> tuple[torch.Tensor, ...]:
    """Sizes of the last ones are rounded up, as those of a ResNet."""
    generator = torch.Generator().manual_seed(1)
    sizes = ((-(-rows // step), -(-columns // step)) for step in (1, 2, 4))
    return tuple(torch.randn(2, level.channels, *size, generator=generator) for level, size in zip(LEVELS, sizes, strict=True))


def pyramid(stride: int = 8) -> Pyramid:
    torch.manual_seed(0)
    model = Pyramid(LEVELS, dataclasses.replace(CONFIG, stride=stride)).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 2)
            module.bias.data.uniform_(-0.5, 0.5)
    return model


@pytest.mark.parametrize(
    ("columns", "centre_first", "expected"),
    [
        (4, True, [3, 4, 5, 5]),  # 3 and 5 are the values of fine cells 0 and 2
        (3, True, [3, 4, 5]),
        (4, False, [3, 3, 4, 5]),  # of fine cells 1 and 3
    ],
)
def test_enlarge_two_cells_are_pencilled(columns, centre_first, expected):
    found = enlarge(torch.tensor([[[[3.0, 5.0]]]]), torch.zeros(1, 1, 2, columns), centre_first)
    assert found[0, 0].tolist() == [expected] * 2


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1), st.booleans())
def test_enlarge_slopes_stay_slopes(height, width, less, centre_first):
    """With the value of each cell that of its centre, in fine cells; up to the ends, where the last value is repeated."""
    first = 0 if centre_first else 1
    rows, columns = (first + 2 * torch.arange(length).float() for length in (height, width))
    sides = [2 * length - (less if centre_first else 0) for length in (height, width)]  # only a ResNet rounds sizes up
    found = enlarge((rows[:, None] + 100 * columns)[None, None], torch.zeros(1, 1, *sides), centre_first)
    y, x = (torch.arange(n).clamp(first, first + 2 * (length - 1)) for n, length in zip(sides, (height, width), strict=True))
    assert torch.equal(found[0, 0], (y[:, None] + 100 * x).float())


@pytest.mark.parametrize("backbone", ["resnet18", "efficientnet_lite0"])
@pytest.mark.parametrize("stride", [8, 16])
def test_pyramid_maps_of_every_backbone_join_at_one_centre(backbone, stride):
    """The centre of a coarse cell is that of the fine cell on which its value is laid."""
    levels = make_backbone(ModelConfig(("car",), backbone=backbone, stride=stride, features="pyramid")).levels
    for fine, coarse in zip(levels, levels[1:], strict=False):
        assert coarse.stride == 2 * fine.stride
        assert coarse.centre == fine.centre + (0 if backbone == "resnet18" else fine.stride)


@pytest.mark.parametrize(("stride", "size"), [(8, (7, 11)), (16, (4, 6))])
def test_pyramid_map_has_the_configured_stride_and_every_level_counts(stride, size):
    model, given = pyramid(stride), maps(7, 11)
    found = model(given)
    assert found.shape == (2, 8, *size) and (found >= 0).all()
    for index, level in enumerate(LEVELS):
        changed = [value + 1 if i == index else value for i, value in enumerate(given)]
        assert torch.equal(model(changed), found) == (level.stride < stride)


@pytest.mark.parametrize(("centre", "column"), [(0.0, 4), (8.0, 5)])
def test_pyramid_lays_a_coarse_cell_on_the_fine_one_of_its_centre(centre, column):
    """The third of four coarse columns alone is not zero; the blocks behind the join pass on what they get."""
    levels = (FeatureLevel(8, 1, 0.0), FeatureLevel(16, 1, centre), FeatureLevel(32, 1, centre + 2 * centre))
    model = Pyramid(levels, CONFIG).eval().requires_grad_(False)
    model.blocks = nn.Sequential()
    for lateral in model.lateral:
        lateral[0].weight.fill_(1)
    coarse = torch.zeros(1, 1, 4, 4)
    coarse[..., 2] = 1
    found = model((torch.zeros(1, 1, 8, 8), coarse, torch.zeros(1, 1, 2, 2)))[0, 0, 4]
    expected = torch.zeros(8)
    expected[column - 1 : column + 2] = torch.tensor([0.5, 1, 0.5])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-5), ("bf16", 0.05), ("fp16", 0.01)])
def test_pyramid_folded_keeps_the_function_in_every_precision(precision, limit):
    model = pyramid()
    before = model(maps())
    fold_batch_norm(model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    cast(model, precision)
    dtype = next(model.parameters()).dtype
    with torch.inference_mode():
        after = model(tuple(value.to(dtype) for value in maps()))
    assert after.dtype == dtype
    assert (before - after.float()).abs().max() <= limit * before.max()


def test_pyramid_trained_in_bf16_has_gradients_near_those_of_float32():
    """Under autocast on a CPU, where enlarging and the depthwise convolutions are computed in float32."""
    gradients = []
    for enabled in (True, False):
        model = pyramid().requires_grad_().train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            found = model(maps())
        found.float().square().mean().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters()]))
    rounded, exact = gradients
    assert torch.nn.functional.cosine_similarity(rounded, exact, dim=0) > 0.99
