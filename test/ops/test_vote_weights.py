# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Boxes of ROIs in the image and their votes by hand, and every kernel against the reference."""

import pytest
import torch
from operator_inputs import assert_equal, random_boxes, random_scores

from fcis_ros import ops
from fcis_ros.ops import reference

BOTH = pytest.mark.parametrize("module", [reference, ops], ids=["reference", "compiled"])


@BOTH
def test_rois_to_image_four_rois_match_hand_calculation(module):
    rois = torch.tensor([[0.0, 2, 13, 13], [0, 0, 3, 9], [0, 0, torch.nan, 9], [0, 0, 9, 9]])
    scores = torch.tensor([[0.5, 0.5]] * 3 + [[0.5, torch.inf]])
    boxes, pixels, finite = module.rois_to_image(rois, scores, 2.0, 5.0, 9, 6)
    assert boxes[0].tolist() == [0, 1, 5, 6.5] and pixels[0].tolist() == [0, 1, 5, 6]  # half to even
    assert boxes[1:].isnan().all() and not pixels[1:].any()
    assert finite.tolist() == [True, True, False, False]  # the second is only too narrow


@BOTH
def test_vote_weights_three_rois_match_hand_calculation(module):
    boxes = torch.tensor([[0.0, 0, 3, 3], [0, 0, 3, 2], [9, 9, 12, 12]])
    scores = torch.tensor([[0.1, 0.6], [0.6, 0.2], [0.1, 0.9]])
    voters, weights, best = module.vote_weights(boxes, scores, torch.tensor([0, 2, -1]), torch.tensor([1, 1, -1]), 0.75)
    assert voters.tolist() == [[0, 1, -1], [-1, -1, 2], [-1, -1, -1]]  # the IoU of the first two is 12/16
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.25, 0], [0, 0, 1], [0, 0, 0]]))
    torch.testing.assert_close(best, torch.tensor([0.6, 0.9, 0]))


@pytest.mark.parametrize(("count", "classes"), [(0, 3), (1, 1), (63, 5), (130, 5), (100, 4), (60, 81)])
def test_rois_to_image_and_vote_weights_any_count_equal_reference(kernels, count, classes):
    boxes = random_boxes(count, seed=count, spread=90)
    for invalid in (False, True):
        scores = random_scores(count, classes, seed=1) if invalid else torch.rand(count, classes)
        for scale, min_size, height, width in [(1.0, 1.0, 90, 120), (1.6, 7.0, 50, 33), (0.3, 2.0, 1, 1)]:
            mapped = kernels.rois_to_image(boxes, scores, scale, min_size, height, width)
            assert_equal(mapped, reference.rois_to_image(boxes, scores, scale, min_size, height, width))
            winners, labels = ops.class_nms(mapped[0], scores.abs(), 0.3, 0.2, 12)
            for threshold in (0.5, 0.0, 1.0, 1.1):
                votes = (mapped[0], scores.abs(), winners, labels, threshold)
                assert_equal(kernels.vote_weights(*votes), reference.vote_weights(*votes), rtol=2e-7)


@pytest.mark.compiler
def test_vote_weights_missing_winners_have_no_voters(emulated):
    boxes, scores = torch.tensor([[0.0, 0, 9, 9]] * 2), torch.full((2, 3), 0.5)
    winners, labels = torch.tensor([1, 2, 0, -1, 2**40]), torch.tensor([2, 1, 3, 1, 2**40])
    voters, weights, best = emulated.vote_weights(boxes, scores, winners, labels, 0.5)
    assert voters.tolist() == [[0, 1]] + [[-1, -1]] * 4
    assert weights.tolist() == [[0.5, 0.5]] + [[0, 0]] * 4
    assert best.tolist() == [0.5, 0, 0, 0, 0]
