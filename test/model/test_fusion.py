# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import torch

from fcis_ros.config import ModelConfig
from fcis_ros.model.fusion import fuse

ONE_CELL = ModelConfig(class_names=("car", "pedestrian"), bins=1, grid=1)


PADDING = [torch.nan, torch.nan]


def maps(*values: float) -> torch.Tensor:
    """One feature cell: (outside, inside) of background, car, pedestrian."""
    return torch.tensor([*values, *PADDING], dtype=torch.float32).reshape(1, 8, 1, 1)


ROI = torch.tensor([[0.0, 0, 0, 15, 15]])


def test_joint_score_and_mask_by_hand():
    fused = fuse(maps(0, 1, 3, 2, -5, 0), ROI, ONE_CELL)
    # Logits are the maxima 1, 3, 0; the mask is that of the car, sigmoid(2 - 3).
    assert torch.allclose(fused.scores[0], torch.softmax(torch.tensor([1.0, 3, 0]), 0))
    assert torch.allclose(fused.masks[0], torch.sigmoid(torch.tensor(-1.0)))


def test_the_patent_takes_the_maximum_before_the_mean():
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


def test_outside_alone_is_detection_without_segmentation():
    """High outside, low inside: the object is detected, the pixel is not part of it ([0028])."""
    fused = fuse(maps(0, 0, 9, -9, 0, 0), ROI, ONE_CELL)
    assert fused.scores[0, 1] > 0.99 and fused.masks[0] < 0.01


def test_background_never_gives_the_mask():
    fused = fuse(maps(9, -9, 0, 4, 0, 0), ROI, ONE_CELL)
    assert fused.scores[0].argmax() == 0 and fused.masks[0] > 0.95


def test_no_rois():
    fused = fuse(maps(0, 0, 0, 0, 0, 0), torch.zeros(0, 5), ONE_CELL)
    assert fused.scores.shape == (0, 3) and fused.masks.shape == (0, 1, 1)
