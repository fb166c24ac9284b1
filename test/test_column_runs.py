# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""ColumnRuns against dense masks."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fcis_ros import rle
from fcis_ros.column_runs import ColumnRuns, intersections

HEIGHT, WIDTH = 9, 11


@st.composite
def masks(draw) -> tuple[np.ndarray, np.ndarray]:
    """[N, H, W] bool and boxes [N, 4] that hold them, not always tightly."""
    count = draw(st.integers(0, 4))
    dense, boxes = np.zeros((count, HEIGHT, WIDTH), bool), np.zeros((count, 4), np.int32)
    for mask, box in zip(dense, boxes, strict=True):
        x1, y1 = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
        x2, y2 = draw(st.integers(x1 + 1, WIDTH)), draw(st.integers(y1 + 1, HEIGHT))
        mask[y1:y2, x1:x2] = draw(arrays(bool, (y2 - y1, x2 - x1)))
        box[:] = x1, y1, x2, y2
    return dense, boxes


def column_runs_of(dense: np.ndarray, boxes: np.ndarray) -> ColumnRuns:
    crops = [mask[y1:y2, x1:x2] for mask, (x1, y1, x2, y2) in zip(dense, boxes, strict=True)]
    return ColumnRuns.from_runs([rle.encode(crop) for crop in crops], boxes)


def dense_of(actual: ColumnRuns, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    masks = np.zeros((len(actual.starts) - 1, height, width), bool)
    for mask, begin, end in zip(masks, actual.starts, actual.starts[1:], strict=False):
        for x, top, bottom in actual.runs[begin:end]:
            assert top < bottom
            mask[top:bottom, x] = True
    return masks


def test_from_runs_run_over_two_columns_gives_two():
    actual = ColumnRuns.from_runs([np.array([1, 3, 2], np.uint32)], np.array([[5, 7, 7, 10]]))  # .## #.. down the columns
    assert actual.starts.tolist() == [0, 2]
    assert actual.runs.tolist() == [[5, 8, 10], [6, 7, 8]]
    assert actual.areas.tolist() == [3]


@given(masks())
def test_from_runs_any_masks_are_the_masks(given_masks):
    dense, boxes = given_masks
    actual = column_runs_of(dense, boxes)
    assert np.array_equal(dense_of(actual), dense)
    assert actual.areas.tolist() == dense.sum((1, 2)).tolist()
    again = ColumnRuns.joined([actual.of(index) for index in range(len(dense))])
    assert np.array_equal(again.starts, actual.starts) and np.array_equal(again.runs, actual.runs)
    assert again.runs.dtype == np.int32


@given(masks(), masks())
def test_intersections_any_masks_equal_dense_masks(first, second):
    pairs = np.argwhere(np.ones((len(first[0]), len(second[0]))))
    shared = intersections(column_runs_of(*first), column_runs_of(*second), pairs)
    assert shared.tolist() == [(first[0][one] & second[0][other]).sum() for one, other in pairs]


@given(masks(), st.integers(-12, 12), st.integers(-12, 12))
def test_moved_shift_equals_shifted_mask_inside_image(given_masks, right, down):
    dense, boxes = given_masks
    moved = column_runs_of(dense, boxes).moved(boxes, boxes + np.array([right, down, right, down]), HEIGHT, WIDTH)
    padded = np.pad(dense, ((0, 0), (12, 12), (12, 12)))
    expected = np.roll(padded, (down, right), (1, 2))[:, 12:-12, 12:-12]
    assert np.array_equal(dense_of(moved), expected)


@given(masks(), st.integers(1, 3), st.integers(1, 3))
def test_moved_whole_factor_repeats_pixels(given_masks, wide, high):
    dense, boxes = given_masks
    new = boxes * np.array([wide, high, wide, high])
    moved = column_runs_of(dense, boxes).moved(boxes, new, HEIGHT * high, WIDTH * wide)
    assert np.array_equal(dense_of(moved, HEIGHT * high, WIDTH * wide), dense.repeat(high, 1).repeat(wide, 2))


def test_moved_empty_new_box_keeps_a_column():
    full = column_runs_of(np.ones((1, HEIGHT, WIDTH), bool), np.array([[0, 0, WIDTH, HEIGHT]]))
    moved = full.moved(np.array([[0, 0, WIDTH, HEIGHT]]), np.array([[4.0, 2.0, 3.0, 5.0]]), HEIGHT, WIDTH)
    assert moved.runs.tolist() == [[4, 2, 5]]


STARTS, COLUMN_RUNS = torch.tensor([0, 1]), torch.tensor([[4, 2, 5]]).int()
BOX, RUNS, ENDS = torch.tensor([[4, 2, 5, 5]]).int(), torch.tensor([0, 3]).int(), torch.tensor([2]).int()
PAIRS, NEW_BOX = torch.tensor([[0, 0]]), torch.tensor([[4.0, 2.0, 5.0, 5.0]]).double()


@pytest.mark.parametrize(
    ("operator", "arguments", "says"),
    [
        ("column_runs", (BOX.long(), RUNS, ENDS), "boxes: expected Int, got Long"),
        ("column_runs", (BOX, RUNS + 1, ENDS), "runs: 4 of mask 0 is more than its box has left"),
        ("column_runs", (BOX, -RUNS, ENDS), "runs: -3"),
        ("column_runs", (BOX.flip(1), RUNS, ENDS), "boxes: \\(5, 5, 2, 4\\) is reversed"),
        ("column_runs", (BOX, RUNS, ENDS + 1), "ends: 3 of mask 0 is out of order"),
        ("column_runs", (BOX, RUNS, ENDS - 3), "ends: -1 of mask 0 is out of order"),
        ("move_column_runs", (STARTS, COLUMN_RUNS, BOX[:, :3], NEW_BOX, 9, 9), "old: expected \\[1, 4\\]"),
        ("move_column_runs", (STARTS, COLUMN_RUNS, BOX[:, [0, 1, 0, 1]], NEW_BOX, 9, 9), "old: box 0 is empty"),
        (
            "move_column_runs",
            (STARTS, COLUMN_RUNS, BOX, NEW_BOX * float("nan"), 9, 9),
            "new: box 0 has an edge that is no number",
        ),
        ("move_column_runs", (STARTS, COLUMN_RUNS, BOX, NEW_BOX, 0, 9), "height"),
        ("shared_pixels", (STARTS + 1, COLUMN_RUNS, STARTS, COLUMN_RUNS, PAIRS), "starts: expected 0 to 1, ascending"),
        ("shared_pixels", (STARTS, COLUMN_RUNS, STARTS, COLUMN_RUNS.float(), PAIRS), "column_runs: expected Int, got Float"),
        ("shared_pixels", (STARTS, COLUMN_RUNS, STARTS, COLUMN_RUNS, PAIRS + 1), "pairs: \\(1, 1\\) of 1 and 1 masks"),
        ("shared_pixels", (STARTS, COLUMN_RUNS, STARTS, COLUMN_RUNS, PAIRS - 1), "pairs: \\(-1, -1\\)"),
    ],
)
def test_operators_arguments_that_do_not_fit_are_named(operator, arguments, says):
    with pytest.raises(ValueError, match=says):
        getattr(torch.ops.fcis_ros, operator)(*arguments)


@pytest.mark.parametrize("passed", [1e-9, 1e-6])
def test_moved_enormous_velocity_leaves_image(passed):
    """Two frames that are next to no time apart: everything that moved is predicted to be far away."""
    full = column_runs_of(np.ones((1, HEIGHT, WIDTH), bool), np.array([[0, 0, WIDTH, HEIGHT]]))
    far = np.array([[0.0, 0.0, WIDTH, HEIGHT]]) + 3 / passed
    assert len(full.moved(np.array([[0, 0, WIDTH, HEIGHT]]), far, HEIGHT, WIDTH).runs) == 0
