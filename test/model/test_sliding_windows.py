# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import torch

from fcis_ros import Predictor
from fcis_ros.config import ModelConfig
from fcis_ros.model import checkpoint
from fcis_ros.model.sliding_windows import propose_windows, slide

CONFIG = ModelConfig(
    class_names=("car", "van"), bins=2, grid=4, proposals="windows", window=64, window_scales=(1.0, 2.0), rpn_post_nms=5
)


def test_slide_windows_by_hand():
    windows = slide(80, 96, dataclasses.replace(CONFIG, window_scales=(1.0,)))
    assert windows.tolist() == [
        [0, 0, 63, 63], [16, 0, 79, 63], [32, 0, 95, 63], [0, 16, 63, 79], [16, 16, 79, 79], [32, 16, 95, 79]
    ]  # fmt: skip


def test_slide_at_stride_8_steps_are_eight_pixels():
    windows = slide(64, 80, dataclasses.replace(CONFIG, stride=8, window_scales=(1.0,)))
    assert windows[:, 0].tolist() == [0, 8, 16]


def test_slide_levels_scale_windows_and_steps():
    windows = slide(64, 64, CONFIG)
    assert windows[0].tolist() == [0, 0, 63, 63] and len(windows) == 1 + 5 * 5
    assert windows[1:3].tolist() == [[0, 0, 31, 31], [8, 0, 39, 31]] and windows[-1].tolist() == [32, 32, 63, 63]


@pytest.mark.parametrize("size", [(1, 1), (40, 500), (63, 64)])
def test_slide_windows_larger_than_the_level_are_cut_off(size):
    windows = slide(*size, dataclasses.replace(CONFIG, window_scales=(0.25, 1.0)))
    assert windows[0].tolist() == [0, 0, min(size[1], 256) - 1, min(size[0], 256) - 1]
    assert (windows[:, 2] < size[1]).all() and (windows[:, 3] < size[0]).all() and (windows[:, 2:] >= windows[:, :2]).all()


def test_propose_windows_at_stride_8_equal_those_at_stride_16_at_twice_the_size():
    maps = torch.randn(1, 4 * 4 * 2, 6, 8, generator=torch.Generator().manual_seed(0))
    small = propose_windows(maps, 48, 64, dataclasses.replace(CONFIG, stride=8, window=32))
    large = propose_windows(maps, 96, 128, CONFIG)
    assert torch.equal(small.scores, large.scores) and small.scores.unique().numel() > 3
    assert torch.equal(small.boxes * 2 + torch.tensor([0, 0, 1, 1]), large.boxes)


@pytest.mark.parametrize("assemble", ["grid", "native"])
def test_propose_windows_window_over_the_object_is_first(assemble):
    """Score maps that know cars in four cells, of which the upper left is at (16, 32)."""
    config = dataclasses.replace(CONFIG, assemble=assemble, window_scales=(2.0, 1.0))
    maps = torch.zeros(1, 4, 4, 2, 6, 6)  # bin, class and padding, side
    maps[:, :, 0, 1] = 2
    maps[:, :, 1, 1, 2:4, 1:3] = 9
    maps[:, :, 3] = torch.nan
    found = propose_windows(maps.reshape(1, -1, 6, 6), 96, 96, config)
    assert found.boxes.shape == (5, 4) and found.boxes[0].tolist() == [16, 32, 47, 63]
    expected = torch.softmax(torch.tensor([2.0, 9, 0]), 0)[1:].sum()
    torch.testing.assert_close(found.scores[0], expected)
    assert (found.scores[:4].diff() <= 0).all()


def test_propose_windows_ignores_the_rpn(tiny_checkpoint):
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    model = checkpoint.load(tiny_checkpoint)
    model.config = dataclasses.replace(model.config, proposals="windows", window=32)
    predictor = Predictor(model, "tiny", torch.device("cpu"))
    found, model = predictor(image), predictor.model
    with torch.no_grad():
        model.rpn.score.bias.fill_(torch.nan)
    again = predictor(image)
    assert len(found) > 0 and np.array_equal(found.masks, again.masks) and np.array_equal(found.scores, again.scores)
    model.config = dataclasses.replace(model.config, proposals="rpn")
    assert len(predictor(image)) == 0
