# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Box regression by hand, and every kernel against the reference."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import assert_equal, random_rois, random_scores, rpn_outputs

from fcis_ros import ops
from fcis_ros.ops import reference

BOTH = pytest.mark.parametrize("module", [reference, ops], ids=["reference", "compiled"])
LAST_BIT = 3e-7  # exp() of another library


@BOTH
def test_decode_anchors_two_cells_match_hand_calculation(module):
    """Two cells of one anchor, 8x8 pixels: the first stays, the second moves a quarter to the right and doubles its height."""
    deltas = torch.zeros(4, 1, 2)
    deltas[0, 0, 1], deltas[3, 0, 1] = 0.25, math.log(2)
    logits = torch.tensor([[[0.0, 0.0]], [[0.0, math.log(3)]]])
    boxes, scores = module.decode_anchors(logits, deltas, torch.tensor([[4.0, 4, 11, 11]]), 16, 20, 40, 1.0)
    # Centres (7.5, 7.5) and (23.5, 7.5); the second becomes (25.5, 7.5), 8 wide and 16 high.
    torch.testing.assert_close(boxes, torch.tensor([[4.0, 4, 11, 11], [22, 0, 29, 15]]))
    assert scores.tolist() == [0.5, 0.75]
    _, scores = module.decode_anchors(logits, deltas, torch.tensor([[4.0, 4, 11, 11]]), 16, 20, 28, 7.0)
    assert scores.tolist() == [0.5, -math.inf]  # 6 pixels are left of its width


@BOTH
def test_decode_anchors_at_stride_8_are_eight_pixels_apart(module):
    deltas, logits, anchors = torch.zeros(4, 2, 2), torch.zeros(2, 2, 2), torch.tensor([[2.0, 2, 5, 5]])
    boxes, _ = module.decode_anchors(logits, deltas, anchors, 8, 16, 16, 1.0)
    assert boxes.tolist() == [[2, 2, 5, 5], [10, 2, 13, 5], [2, 10, 5, 13], [10, 10, 13, 13]]


@BOTH
def test_decode_rois_one_roi_matches_hand_calculation(module):
    rois, deltas = torch.tensor([[1.0, 4, 4, 11, 11]]), torch.tensor([[5.0, -5.0, 0, 0]])
    # 5 * 0.1 sides of 8 pixels to the right and up, where the image ends.
    assert module.decode_rois(rois, deltas, (0.1, 0.1, 0.2, 0.2), 20, 14).tolist() == [[1, 8, 0, 13, 7]]


@given(st.integers(1, 12), st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6), st.booleans(), st.integers(0, 20))
def test_decode_anchors_any_shape_equals_reference(kernels, anchors, rows, columns, seed, channels_last, min_size):
    logits, deltas, base = rpn_outputs(anchors, rows, columns, seed)
    size = (16, rows * 11, columns * 13, float(min_size))
    expected = reference.decode_anchors(logits, deltas, base, *size)
    if channels_last:
        logits, deltas = (t[None].to(memory_format=torch.channels_last)[0] for t in (logits, deltas))
    assert_equal(kernels.decode_anchors(logits, deltas, base, *size), expected, rtol=LAST_BIT)
    assert torch.isneginf(expected[1]).any()


@pytest.mark.parametrize("count", [0, 1, 60, 300])
def test_decode_rois_any_count_equals_reference(kernels, count):
    rois, deltas = random_rois(count, 3, seed=count), random_scores(count, 4, seed=3) * 9
    arguments = (rois, deltas, (0.1, 0.1, 0.2, 0.2), 90, 110)
    assert_equal([kernels.decode_rois(*arguments)], [reference.decode_rois(*arguments)], rtol=LAST_BIT)
