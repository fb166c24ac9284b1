# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The compiled operators on masks against the slow reference: voting, pictures."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros import ops
from fcis_ros.ops import reference


@st.composite
def vote_arguments(draw):
    """Arguments of vote_masks: smooth masks over boxes of every size in a small image."""
    height, width = draw(st.integers(1, 50)), draw(st.integers(1, 60))
    rois, winners, size = draw(st.integers(1, 6)), draw(st.integers(0, 4)), draw(st.sampled_from([1, 2, 5, 21]))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    x, y = np.sort(random.integers(0, width, (2, rois)), axis=0), np.sort(random.integers(0, height, (2, rois)), axis=0)
    boxes = np.stack([x[0], y[0], x[1], y[1]], axis=1).astype(np.int32)
    masks = random.normal(0.4, 1, (rois, size, size)).cumsum(axis=1).cumsum(axis=2).clip(0, 1).astype(np.float32)
    index = np.where(random.random((winners, rois)) < 0.6, random.integers(0, rois, (winners, rois)), -1).astype(np.int32)
    weights = random.random((winners, rois)) * (index >= 0)
    weights = (weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return *map(torch.from_numpy, (boxes, masks, index, weights)), height, width


@given(vote_arguments(), st.booleans(), st.sampled_from([0, 21]))
def test_vote_masks_any_votes_equal_reference(votes, binarise_first, resample):
    arguments = (*votes, 0.4, binarise_first, resample)
    boxes, runs, ends = ops.vote_masks(*arguments)
    height, width = votes[-2:]
    expected = reference.vote_masks(*arguments)
    # Bilinear samples may differ by a rounding from OpenCV's, which shows where one meets the threshold exactly.
    computed_labels = reference.label_map(boxes, runs, ends, height, width)
    labels = reference.label_map(*expected, height, width)
    assert (computed_labels != labels).float().mean() <= 0.02
    assert torch.equal(ops.label_map(boxes, runs, ends, height, width), computed_labels)
    assert ((boxes[:, 2:] > boxes[:, :2]).all(dim=1) == (ends.diff(prepend=torch.zeros(1, dtype=torch.int32)) > 0)).all()


def test_vote_masks_many_boxes_equal_reference_to_the_bit():
    generator = torch.Generator().manual_seed(0)
    corner = (torch.rand(60, 2, generator=generator) * torch.tensor([150.0, 100])).int()
    boxes = torch.cat([corner, corner + 1 + (torch.rand(60, 2, generator=generator) * 48).int()], dim=1).int()
    masks = torch.rand(60, 21, 21, generator=generator)
    index = torch.where(torch.rand(20, 60, generator=generator) < 0.2, torch.arange(60), -1).int()
    weights = torch.rand(20, 60, generator=generator) / 6
    for resample in (0, 21):
        arguments = (boxes, masks, index, weights, 150, 200, 0.4, True, resample)
        assert all(map(torch.equal, ops.vote_masks(*arguments), reference.vote_masks(*arguments)))


def test_vote_masks_object_in_corner_stays_whole():
    """Its four pixels, as 4x4 samples: those past the image see what is on its edge, 1; were it 0, a corner would get 0.766."""
    boxes, masks = torch.tensor([[0, 0, 1, 1]], dtype=torch.int32), torch.ones(1, 1, 1)
    for with_ops in (ops, reference):
        actual = with_ops.vote_masks(boxes, masks, torch.zeros(1, 1, dtype=torch.int32), torch.ones(1, 1), 2, 2, 0.8, True, 4)
        assert [part.flatten().tolist() for part in actual] == [[0, 0, 2, 2], [0, 4], [2]]


def test_vote_masks_4k_image_does_not_overflow():
    """60 ROIs of the whole image: a buffer for each would be 2 GB."""
    boxes = torch.tensor([[0, 0, 3839, 2159]], dtype=torch.int32).repeat(60, 1)
    index = torch.arange(60, dtype=torch.int32)[None]
    weights = torch.zeros(1, 60)
    weights[0, -1] = 1
    masks = torch.zeros(60, 21, 21)
    masks[-1, :, 11:] = 1
    box, runs, _ = ops.vote_masks(boxes, masks, index, weights, 2160, 3840, 0.5, True, 0)
    # Halfway between the centres of columns 10 and 11, at 10.5 and 11.5 of 3840/21 pixels.
    assert box.tolist() == [[2011, 0, 3840, 2160]]
    assert runs.tolist() == [0, (3840 - 2011) * 2160]


@given(vote_arguments(), st.floats(0, 1), st.sampled_from([0, 1, 2, 5, 255]), st.integers(0, 99))
def test_paint_any_instances_equals_reference(votes, alpha, thickness, seed):
    height, width = votes[-2:]
    labels = ops.label_map(*ops.vote_masks(*votes, 0.4, True, 0), height, width)
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator)
    colours = torch.randint(0, 256, (len(votes[2]), 3), dtype=torch.uint8, generator=generator)
    alpha = float(np.float32(alpha))
    given = (image, labels, colours, alpha, thickness)
    assert torch.equal(ops.paint(*given), reference.paint(*given))


def test_paint_two_pixel_outline_matches_drawing():
    """Instance 1 left of 2, both cut by the image's border, which is no edge; what lies behind a corner counts."""
    rows = ["1111122222"] * 3 + ["1111100000"] * 3
    labels = torch.tensor([[int(label) for label in row] for row in rows], dtype=torch.uint16)
    tints = torch.tensor([[100, 0, 0], [0, 200, 0]], dtype=torch.uint8)
    drawn = ops.paint(torch.zeros(6, 10, 3, dtype=torch.uint8), labels, tints, 0.5, 2)
    names = {(0, 0, 0): ".", (100, 0, 0): "A", (50, 0, 0): "a", (0, 200, 0): "B", (0, 100, 0): "b"}
    shown = ["".join(names[tuple(pixel)] for pixel in row) for row in drawn.tolist()]
    assert shown == ["aaaAABBbbb"] + ["aaaAABBBBB"] * 2 + ["aaaAA....."] * 3


def test_vote_masks_runs_beyond_capacity_are_left_out():
    boxes = torch.tensor([[0, 0, 3, 3], [1, 1, 6, 6]], dtype=torch.int32)
    votes = (boxes, torch.ones(2, 1, 1), torch.tensor([[0, -1], [-1, 1]]).int(), torch.ones(2, 2), 8, 8, 0.4, True, 0)
    tight, runs, ends = ops.vote_masks(*votes)
    assert runs.tolist() == [0, 16, 0, 36] and ends.tolist() == [2, 4]
    for capacity, expected in ((6, [0, 16, 0, 36, 0, 0]), (4, [0, 16, 0, 36]), (3, [0, 16, 0]), (1, [0])):
        for with_ops in (ops, reference):
            actual = with_ops.vote_masks(*votes, capacity=capacity)
            assert torch.equal(actual[0], tight) and torch.equal(actual[2], ends)
            assert actual[1].tolist() == expected
    with pytest.raises(ValueError, match="capacity: expected"):
        ops.vote_masks(*votes, capacity=-1)
