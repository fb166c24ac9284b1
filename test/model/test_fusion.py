# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.model.score_maps import fuse

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
