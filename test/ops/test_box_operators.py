# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The compiled operators on boxes against the slow reference."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import assert_equal, boxes_and_scores, random_rois, rpn_outputs

from fcis_ros import ops
from fcis_ros.ops import reference


@pytest.mark.parametrize("limit", [0, 5, 100])
@pytest.mark.parametrize("seed", range(5))
def test_nms_and_class_nms_random_boxes_equal_reference(seed, limit):
    boxes, scores = boxes_and_scores(seed=seed)
    one = scores[:, 1].contiguous()
    for threshold in (0.0, 0.3, 0.7):
        assert torch.equal(ops.nms(boxes, one, threshold, limit), reference.nms(boxes, one, threshold, limit))
        classes = (boxes, scores, threshold, 0.2, limit)
        assert_equal(ops.class_nms(*classes), reference.class_nms(*classes))


LAST_BIT = 3e-7  # exp() of another library


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6), st.booleans(), st.integers(0, 20))
def test_decode_anchors_any_shape_equals_reference(anchors, rows, columns, seed, channels_last, min_size):
    rows = max(rows, 120 // (anchors * columns) + 1)  # enough for the values that are not finite
    logits, deltas, base = rpn_outputs(anchors, rows, columns, seed)
    size = (16, rows * 11, columns * 13, float(min_size))
    expected = reference.decode_anchors(logits, deltas, base, *size)
    if channels_last:
        logits, deltas = (t[None].to(memory_format=torch.channels_last)[0] for t in (logits, deltas))
    assert_equal(ops.decode_anchors(logits, deltas, base, *size), expected, rtol=LAST_BIT)
    assert torch.isneginf(expected[1]).any()


@pytest.mark.parametrize("seed", range(4))
def test_decode_rois_random_rois_equal_reference(seed):
    rois, deltas = random_rois(60, seed=seed), torch.randn(60, 4, generator=torch.Generator().manual_seed(seed)) * 9
    deltas[7, 2], deltas[8, 0], deltas[9, 3] = torch.nan, torch.inf, -torch.inf
    arguments = (rois, deltas, (0.1, 0.1, 0.2, 0.2), 90, 110)
    assert_equal([ops.decode_rois(*arguments)], [reference.decode_rois(*arguments)], rtol=LAST_BIT)


@pytest.mark.parametrize("seed", range(4))
def test_rois_to_image_and_vote_weights_random_rois_equal_reference(seed):
    boxes, scores = boxes_and_scores(70, seed=seed)
    boxes = torch.cat([boxes, boxes[:40] + torch.randn(40, 4, generator=torch.Generator().manual_seed(seed))])
    scores = torch.cat([scores, scores[:40]])
    for scale, min_size, height, width in [(1.0, 1.0, 90, 120), (1.6, 7.0, 50, 33), (0.3, 2.0, 1, 1)]:
        mapped = ops.rois_to_image(boxes, scores, scale, min_size, height, width)
        assert_equal(mapped, reference.rois_to_image(boxes, scores, scale, min_size, height, width))
        rois, labels = ops.class_nms(mapped[0], scores, 0.3, 0.2, 20)
        for threshold in (0.5, 0.0, 1.0, 1.1):
            votes = (mapped[0], scores, rois, labels, threshold)
            assert_equal(ops.vote_weights(*votes), reference.vote_weights(*votes), rtol=2e-7)


def test_box_operators_no_rois_give_empty_results():
    boxes, scores, none = torch.zeros(0, 4), torch.zeros(0, 3), torch.full((2,), -1)
    for with_ops in (ops, reference):
        voters, weights, best = with_ops.vote_weights(boxes, scores, none, none, 0.5)
        assert voters.shape == weights.shape == (2, 0) and best.tolist() == [0, 0]
        assert [t.shape[0] for t in with_ops.rois_to_image(boxes, scores, 1.0, 1.0, 5, 5)] == [0, 0, 0]
        assert with_ops.decode_rois(torch.zeros(0, 5), boxes, (1.0,) * 4, 5, 5).shape == (0, 5)
