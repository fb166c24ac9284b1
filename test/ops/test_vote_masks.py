# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Mask voting by hand, the CPU kernel against the reference and, bit by bit, the CUDA kernels against the CPU."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import VOTES, assert_equal, random_votes

from fcis_ros import ops
from fcis_ros.ops import reference

BOTH = pytest.mark.parametrize("module", [reference, ops], ids=["reference", "compiled"])


def check(kernels, *arguments):
    """Compares with the CPU, to the bit; returns the results."""
    actual = kernels.vote_masks(*arguments)
    assert_equal(actual, ops.vote_masks(*arguments))
    return actual


def votes(module, boxes, masks, weights, threshold=0.4, binarise_first=True, resample=0):
    """One winner for whom every box votes with the mask of its number."""
    index = torch.arange(len(boxes), dtype=torch.int32)[None]
    box, runs, ends = module.vote_masks(
        torch.tensor(boxes, dtype=torch.int32), torch.tensor(masks), index, torch.tensor([weights]), 4, 4, threshold,
        binarise_first, resample,
    )  # fmt: skip
    assert ends.tolist() == [len(runs)]
    return box[0].tolist(), runs.tolist()


@BOTH
def test_vote_masks_two_voters_match_hand_calculation(module):
    """Two 2x1 boxes that share a column: weights 0.75 and 0.25, everything above the threshold counts fully."""
    pair = (module, [[0, 0, 1, 0], [1, 0, 2, 0]], [[[0.9]], [[0.5]]], [0.75, 0.25])
    assert votes(*pair) == ([0, 0, 2, 1], [0, 2])  # votes 0.75, 1, 0.25
    assert votes(*pair, threshold=0.45) == ([0, 0, 2, 1], [0, 2])
    assert votes(*pair, threshold=0.7, binarise_first=False) == ([1, 0, 2, 1], [0, 1])  # 0.675, 0.8, 0.125
    assert votes(*pair, threshold=0.9, binarise_first=False) == ([0, 0, 0, 0], [])
    assert votes(*pair, resample=21) == ([0, 0, 0, 0], [])  # one pixel high


@BOTH
def test_vote_masks_box_outside_image_is_refused(module):
    with pytest.raises(ValueError, match="not inside the 4x4 image"):
        votes(module, [[0, 0, 4, 0]], [[[1.0]]], [1.0])


@BOTH
def test_vote_masks_object_in_corner_stays_whole(module):
    """Its four pixels, as 4x4 samples: those past the image see what is on its edge, 1; were it 0, a corner would get 0.766."""
    boxes, masks = torch.tensor([[0, 0, 1, 1]], dtype=torch.int32), torch.ones(1, 1, 1)
    actual = module.vote_masks(boxes, masks, torch.zeros(1, 1, dtype=torch.int32), torch.ones(1, 1), 2, 2, 0.8, True, 4)
    assert [part.flatten().tolist() for part in actual] == [[0, 0, 2, 2], [0, 4], [2]]


def test_vote_masks_4k_image_does_not_overflow():
    """60 ROIs of the whole image: a buffer for each would be 2 GB."""
    boxes = torch.tensor([[0, 0, 3839, 2159]], dtype=torch.int32).repeat(60, 1)
    weights, masks = torch.eye(60)[-1:], torch.zeros(60, 21, 21)
    masks[-1, :, 11:] = 1
    box, runs, _ = ops.vote_masks(boxes, masks, torch.arange(60, dtype=torch.int32)[None], weights, 2160, 3840, 0.5, True, 0)
    # Halfway between the centres of columns 10 and 11, at 10.5 and 11.5 of 3840/21 pixels.
    assert box.tolist() == [[2011, 0, 3840, 2160]]
    assert runs.tolist() == [0, (3840 - 2011) * 2160]


@given(VOTES, st.sampled_from([0.4, 0.4, 0.0, 1.0]), st.booleans(), st.sampled_from([0, 1, 7, 21]))
def test_vote_masks_any_votes_equal_cpu_and_reference(kernels, given_votes, threshold, binarise_first, resample):
    arguments = (*given_votes, threshold, binarise_first, resample)
    actual = check(kernels, *arguments)
    if threshold == 0.4:  # bilinear samples may differ by a rounding from OpenCV's, which shows where one meets the threshold
        size = given_votes[-2:]
        labels, expected = (reference.label_map(*masks, *size) for masks in (actual, reference.vote_masks(*arguments)))
        assert (labels != expected).float().mean() <= 0.02
        assert torch.equal(actual[0][:, 2] > 0, actual[2].diff(prepend=torch.zeros(1, dtype=torch.int32)) > 0)


@pytest.mark.parametrize("binarise_first", [True, False])
@pytest.mark.parametrize("resample", [0, 21])
def test_vote_masks_many_rois_equal_reference_to_the_bit(kernels, binarise_first, resample):
    """More ROIs than lanes, boxes across several tiles."""
    boxes, masks, index, weights, height, width = random_votes(6, 100, 130, rois=70, winners=9, size=21)
    index[torch.rand(index.shape, generator=torch.Generator().manual_seed(1)) < 0.7] = -1
    arguments = (boxes, masks, index, weights * 3, height, width, 0.4, binarise_first, resample)
    assert_equal(kernels.vote_masks(*arguments), reference.vote_masks(*arguments))


@pytest.mark.parametrize(
    "box", [[0, 0, 0, 0], [39, 33, 39, 33], [0, 31, 39, 32], [31, 0, 32, 33], [39, 0, 39, 33], [0, 33, 39, 33], [0, 0, 39, 33]]
)
@pytest.mark.parametrize("resample", [0, 3])
def test_vote_masks_at_border_or_one_pixel_equal_cpu(kernels, box, resample):
    """Boxes that end where a word of rows or a warp of columns does, one pixel wide, high or both."""
    masks = torch.ones(4, 3, 3)
    masks[0, 0, 1] = masks[0, 1, 0] = masks[2] = 0.0
    masks[3] = torch.nan
    index = torch.tensor([[0], [1], [2], [3], [-1]], dtype=torch.int32)
    arguments = (torch.tensor([box], dtype=torch.int32), masks, index, torch.ones(5, 1), 34, 40, 0.4, True, resample)
    actual = check(kernels, *arguments)
    if not resample:
        assert_equal(actual, reference.vote_masks(*arguments))


@pytest.mark.parametrize("value", [0.1, 0.3, 0.4, 0.7])
@pytest.mark.parametrize("binarise_first", [True, False])
def test_vote_masks_votes_at_threshold_equal_cpu(kernels, binarise_first, value):
    """Interpolating between equal values gives that value or its neighbour: every operation has to be the CPU's."""
    corners = [[x, x, x + side, x + side // 2 + 1] for x, side in [(0, 60), (3, 37), (20, 13), (33, 30)]]
    masks, index = torch.full((4, 7, 7), value), torch.arange(1, 5, dtype=torch.int32).diag() - 1
    for resample in (0, 9):
        boxes = torch.tensor(corners, dtype=torch.int32)
        check(kernels, boxes, masks, index, torch.eye(4), 66, 66, value, binarise_first, resample)


def test_vote_masks_runs_beyond_capacity_are_left_out(kernels):
    arguments = (*random_votes(8, 40, 50), 0.4, True, 0)
    tight, runs, ends = ops.vote_masks(*arguments)
    for capacity in (int(ends[1]) - 1, int(ends[2]) + 1, len(runs), len(runs) + 9, 0):
        expected = torch.zeros(capacity, dtype=torch.int32)
        fitting = max((end for end in ends.tolist() if end <= capacity), default=0)
        expected[:fitting] = runs[:fitting]
        for module in (kernels, reference):
            assert_equal(module.vote_masks(*arguments, capacity), (tight, expected, ends))


@pytest.mark.compiler
def test_vote_masks_wrong_voters_are_left_out_and_reported(emulated):
    boxes, masks, index, weights, height, width = random_votes(5, 30, 30)
    index[0] = torch.tensor([0, 1, 2, 3, 4, 5])
    good = index.clone()
    good[:, 1], good[0, 3] = -1, -1
    for wrong in ([-1, 0, 4, 4], [3, 3, 2, 5], [0, 0, 30, 4], [0, 0, 4, 2**31 - 1]):
        boxes[1], index[0, 3] = torch.tensor(wrong), len(masks)
        arguments = (boxes, masks, index, weights, height, width, 0.2, True, 0)
        actual = emulated.vote_masks(*arguments, 999)
        with pytest.raises(ValueError, match="wrong: 3"):
            emulated.vote_masks(*arguments)
        boxes[1] = 0
        assert_equal(actual, ops.vote_masks(boxes, masks, good, *arguments[3:], 999))


@pytest.mark.compiler
@pytest.mark.parametrize(("height", "width"), [(2160, 3840), (40, 32768)])
def test_vote_masks_large_images_equal_cpu(emulated, height, width):
    corners = [[width - 200, height - 40, width - 1, height - 1], [width - 3, 0, width - 1, height - 1]]
    masks = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(0))
    index = torch.tensor([[-1, 0], [0, 1]], dtype=torch.int32)
    boxes = torch.tensor(corners, dtype=torch.int32)
    actual = check(emulated, boxes, masks, index, torch.full((2, 2), 0.5), height, width, 0.2, True, 0)
    assert actual[0][:, 2].tolist() == [width, width]


@pytest.mark.parametrize("resample", [0, 5])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 31), (64, 65)])
def test_vote_masks_edge_sizes_equal_cpu(kernels, height, width, resample):
    check(kernels, *random_votes(height, height, width), 0.4, height % 2 == 0, resample)
