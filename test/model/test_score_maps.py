# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import torch

from fcis_ros import Predictor, ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.score_maps import fuse, operators
from fcis_ros.ops import patent

ONE_CELL = ModelConfig(class_names=("car", "pedestrian"), bins=1, grid=1)
PADDING = [torch.nan, torch.nan]


def maps(*values: float) -> torch.Tensor:
    """One feature cell: (outside, inside) of background, car, pedestrian."""
    return torch.tensor([*values, *PADDING], dtype=torch.float32).reshape(1, 8, 1, 1)


ROI = torch.tensor([[0.0, 0, 0, 15, 15]])


def test_fuse_joint_score_and_mask_by_hand():
    fused = fuse(maps(0, 1, 3, 2, -5, 0), ROI, ONE_CELL)
    # Logits are the maxima 1, 3, 0; the mask is that of the car, sigmoid(2 - 3).
    assert torch.allclose(fused.scores[0], torch.softmax(torch.tensor([1.0, 3, 0]), 0))
    assert torch.allclose(fused.masks[0], torch.sigmoid(torch.tensor(-1.0)))


def test_fuse_native_takes_the_maximum_before_the_mean():
    """One pixel says outside, its neighbour inside: for the patent both say "car"; the grid's square averages them first."""
    outside, inside = [0, 0, 4, 0, 0, 0, *PADDING], [0, 0, 0, 4, 0, 0, *PADDING]
    two = torch.tensor([outside, inside], dtype=torch.float32).T.reshape(1, 8, 1, 2).contiguous()
    both = torch.tensor([[0.0, 0, 0, 31, 15]])
    grid = fuse(two, both, ONE_CELL)
    native = fuse(two, both, dataclasses.replace(ONE_CELL, assemble="native"))
    assert torch.allclose(grid.scores[0], torch.softmax(torch.tensor([0.0, 2, 0]), 0))
    assert torch.allclose(native.scores[0], torch.softmax(torch.tensor([0.0, 4, 0]), 0))
    assert grid.masks[0] == 0.5
    wide = fuse(two, both, dataclasses.replace(ONE_CELL, assemble="native", grid=2))
    assert torch.allclose(wide.masks[0], torch.sigmoid(torch.tensor([-4.0, 4.0])).expand(2, 2))


@pytest.mark.parametrize(
    ("values", "best", "mask"),
    [
        ((0, 0, 9, -9, 0, 0), 1, 0.0),  # high outside, low inside: detected, but the pixel is not part of it ([0028])
        ((9, -9, 0, 4, 0, 0), 0, 1.0),  # the background wins; the mask is that of the best foreground class
    ],
)
def test_fuse_outside_and_inside_decide_separately(values, best, mask):
    fused = fuse(maps(*values), ROI, ONE_CELL)
    assert fused.scores[0].argmax() == best and fused.scores[0, best] > 0.97 and abs(fused.masks[0] - mask) < 0.05


def test_fuse_no_rois_is_empty():
    fused = fuse(maps(0, 0, 0, 0, 0, 0), torch.zeros(0, 5), ONE_CELL)
    assert fused.scores.shape == (0, 3) and fused.masks.shape == (0, 1, 1)


CONFIG = ModelConfig(class_names=("car", "van"), bins=3, more_bins=(1, 2), grid=6)
ROIS = torch.tensor([[0.0, 0, 0, 60, 70], [1, 5, 20, 90, 80], [0, 30, 30, 31, 31]])
LABELS = torch.tensor([1, 2, 0])


def maps_of_each(channels: int) -> list[torch.Tensor]:
    """One set of maps for every k; ``channels`` per bin."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, k * k * channels, 6, 7, generator=generator) for k in CONFIG.all_bins]


@pytest.mark.parametrize(("assemble", "single"), [("grid", ops), ("native", patent)])
def test_multi_bin_operators_average_over_all_k(assemble, single):
    merged = operators(dataclasses.replace(CONFIG, assemble=assemble))
    cases = {"class_logits": (8, (ROIS, 3)), "mask_logits": (8, (ROIS, LABELS)), "box_deltas": (4, (ROIS,))}
    for name, (channels, arguments) in cases.items():
        each = maps_of_each(channels)
        expected = [getattr(single, name)(maps, *arguments, k, 6, 16) for maps, k in zip(each, CONFIG.all_bins, strict=True)]
        together = torch.cat(each, dim=1).requires_grad_()
        found = getattr(merged, name)(together, *arguments, 3, 6, 16)
        torch.testing.assert_close(found, sum(expected) / 3, atol=1e-6, rtol=1e-5)
        found.sum().backward()
        assert (together.grad.reshape(2, 14, channels, -1).abs().sum(dim=(0, 2, 3)) > 0).all()  # the bins of every k


@pytest.mark.parametrize("assemble", ["grid", "native"])
def test_multi_bin_operators_mask_is_of_the_best_class(assemble):
    merged, maps = operators(dataclasses.replace(CONFIG, assemble=assemble)), torch.cat(maps_of_each(8), dim=1)
    scores = torch.tensor([[0.9, 0.06, 0.04], [0.1, 0.2, 0.7], [0.0, torch.nan, 0.0]])
    pairs = merged.mask_logits(maps, ROIS, torch.tensor([1, 2, 2]), 3, 6, 16)
    masks = merged.best_class_masks(maps, ROIS, scores, 3, 6, 16)
    torch.testing.assert_close(masks, torch.softmax(pairs, dim=1)[:, 1], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("voting", ["released", "category"])
def test_predictor_several_k_finds_instances(tmp_path, voting):
    config = ModelConfig(
        class_names=("car",), backbone="resnet18", width=8, reduced_channels=16, rpn_channels=16, short_side=96, max_side=160,
        anchor_scales=(1.0, 2.0), rpn_post_nms=20, bins=7, more_bins=(3, 1), voting=voting,
    )  # fmt: skip
    torch.manual_seed(0)
    model = FCIS(config)
    assert model.score_maps.score.out_channels == 4 * 2 * (49 + 9 + 1) and model.score_maps.box.out_channels == 4 * 59
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    assert len(Predictor(model, "several", torch.device("cpu"))(image)) > 0
