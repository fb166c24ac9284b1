# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.model.proposals import base_anchors, propose

# Ratio by ratio (0.5, 1, 2), then scale by scale (4, 8, 16, 32); VOC leaves out the smallest scale.
COCO = [
    [-38, -16, 53, 31], [-84, -40, 99, 55], [-176, -88, 191, 103], [-360, -184, 375, 199],
    [-24, -24, 39, 39], [-56, -56, 71, 71], [-120, -120, 135, 135], [-248, -248, 263, 263],
    [-14, -36, 29, 51], [-36, -80, 51, 95], [-80, -168, 95, 183], [-168, -344, 183, 359],
]  # fmt: skip


def config(**changes) -> ModelConfig:
    return ModelConfig(class_names=("car",), **changes)


VOC = [anchor for index, anchor in enumerate(COCO) if index % 4]


@pytest.mark.parametrize(("scales", "expected"), [((4, 8, 16, 32), COCO), ((8, 16, 32), VOC)])
def test_base_anchors_equal_the_released_models(scales, expected):
    assert base_anchors(config(anchor_scales=scales)).tolist() == expected


def test_base_anchors_at_stride_8_are_in_its_units_around_its_cell():
    """Scale 4 is 32 pixels here, around 3.5; the sides of the other ratios are rounded as for stride 16."""
    anchors = base_anchors(config(stride=8, anchor_scales=(4,))).tolist()
    assert anchors == [[-18, -8, 25, 15], [-12, -12, 19, 19], [-8, -20, 15, 27]]  # 44x24, 32x32 and 24x48


def outputs(anchors: int, height: int, width: int):
    return torch.zeros(2 * anchors, height, width), torch.zeros(4 * anchors, height, width)


def count(proposals) -> int:
    """Proposals that are there; behind them everything is NaN, and the size is always the same."""
    there = torch.isfinite(proposals.scores)
    number = int(there.sum())
    assert there[:number].all() and torch.equal(there, torch.isfinite(proposals.boxes).all(dim=1))
    return number


def test_propose_best_anchor_is_first_and_clipped():
    settings = config(anchor_scales=(4,), anchor_ratios=(1.0,))
    logits, deltas = outputs(1, 3, 4)
    logits[1, 0, 2] = 5
    proposals = propose(logits, deltas, base_anchors(settings), 48, 64, settings)
    # The 64x64 anchor around cell (0, 2) is centred at x = 39.5, y = 7.5.
    assert proposals.boxes[0].tolist() == [8, 0, 63, 39]
    assert proposals.scores[0] == torch.sigmoid(torch.tensor(5.0))


def test_propose_at_stride_8_has_a_proposal_every_eight_pixels():
    settings = config(stride=8, anchor_scales=(4,), anchor_ratios=(1.0,), rpn_nms=1.0)
    logits, deltas = outputs(1, 3, 4)
    logits[1, 0, 2] = 5
    # 23x31 pixels: 2x3 of the 3x4 cells propose; the best anchor, of 32x32, is around x = 19.5, y = 3.5.
    proposals = propose(logits, deltas, base_anchors(settings), 23, 31, settings)
    assert count(proposals) == 6 and proposals.boxes[0].tolist() == [4, 0, 30, 19]


def test_propose_partial_last_row_and_column_are_left_out():
    settings = config(anchor_scales=(1,), anchor_ratios=(1.0,))
    logits, deltas = outputs(1, 3, 4)
    logits[1, 2, :] = 9
    logits[1, :, 3] = 9
    # 40x56 pixels make 3x4 cells, of which floor(40/16) x floor(56/16) = 2x3 propose.
    proposals = propose(logits, deltas, base_anchors(settings), 40, 56, settings)
    assert count(proposals) == 6 and proposals.scores[:6].max() == 0.5


def test_propose_small_and_non_finite_candidates_are_dropped():
    settings = config(anchor_scales=(1,), anchor_ratios=(1.0,), rpn_min_size=10)
    logits, deltas = outputs(1, 1, 2)
    deltas[2, 0, 0] = -3  # shrinks the first to less than one pixel
    assert count(propose(logits, deltas, base_anchors(settings), 16, 32, settings)) == 1
    logits[1, 0, 1] = float("nan")
    assert count(propose(logits, deltas, base_anchors(settings), 16, 32, settings)) == 0


def test_propose_never_exceeds_the_limit():
    settings = config(rpn_post_nms=7, rpn_nms=1.0)
    logits, deltas = outputs(12, 5, 5)
    assert count(propose(logits, deltas, base_anchors(settings), 80, 80, settings)) == 7
