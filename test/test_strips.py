# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Strips against dense masks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fcis_ros import rle
from fcis_ros.strips import Strips, intersections

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


def strips(dense: np.ndarray, boxes: np.ndarray) -> Strips:
    crops = [mask[y1:y2, x1:x2] for mask, (x1, y1, x2, y2) in zip(dense, boxes, strict=True)]
    return Strips.from_runs([rle.encode(crop) for crop in crops], boxes)


def dense_of(found: Strips, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    masks = np.zeros((len(found.starts) - 1, height, width), bool)
    for mask, begin, end in zip(masks, found.starts, found.starts[1:], strict=False):
        for x, top, bottom in zip(found.x[begin:end], found.top[begin:end], found.bottom[begin:end], strict=True):
            assert top < bottom
            mask[top:bottom, x] = True
    return masks


def test_a_run_over_two_columns_is_two_strips():
    found = Strips.from_runs([np.array([1, 3, 2], np.uint32)], np.array([[5, 7, 7, 10]]))  # .## #.. down the columns
    assert found.starts.tolist() == [0, 2]
    assert found.x.tolist() == [5, 6] and found.top.tolist() == [8, 7] and found.bottom.tolist() == [10, 8]
    assert found.areas.tolist() == [3]


@given(masks())
@settings(deadline=None)
def test_strips_are_the_mask(given_masks):
    dense, boxes = given_masks
    found = strips(dense, boxes)
    assert np.array_equal(dense_of(found), dense)
    assert found.areas.tolist() == dense.sum((1, 2)).tolist()


@given(masks(), masks())
@settings(deadline=None)
def test_intersections_are_those_of_dense_masks(first, second):
    pairs = np.argwhere(np.ones((len(first[0]), len(second[0]))))
    shared = intersections(strips(*first), strips(*second), pairs, HEIGHT)
    assert shared.tolist() == [(first[0][one] & second[0][other]).sum() for one, other in pairs]


@given(masks(), st.integers(-12, 12), st.integers(-12, 12))
@settings(deadline=None)
def test_moving_is_moving_what_stays_in_the_image(given_masks, right, down):
    dense, boxes = given_masks
    moved = strips(dense, boxes).moved(boxes, boxes + np.array([right, down, right, down]), HEIGHT, WIDTH)
    padded = np.pad(dense, ((0, 0), (12, 12), (12, 12)))
    expected = np.roll(padded, (down, right), (1, 2))[:, 12:-12, 12:-12]
    assert np.array_equal(dense_of(moved), expected)


@given(masks(), st.integers(1, 3), st.integers(1, 3))
@settings(deadline=None)
def test_growing_by_a_whole_factor_repeats_pixels(given_masks, wide, high):
    dense, boxes = given_masks
    new = boxes * np.array([wide, high, wide, high])
    moved = strips(dense, boxes).moved(boxes, new, HEIGHT * high, WIDTH * wide)
    assert np.array_equal(dense_of(moved, HEIGHT * high, WIDTH * wide), dense.repeat(high, 1).repeat(wide, 2))


def test_a_box_that_shrinks_to_nothing_keeps_a_column():
    full = strips(np.ones((1, HEIGHT, WIDTH), bool), np.array([[0, 0, WIDTH, HEIGHT]]))
    moved = full.moved(np.array([[0, 0, WIDTH, HEIGHT]]), np.array([[4.0, 2.0, 3.0, 5.0]]), HEIGHT, WIDTH)
    assert moved.x.tolist() == [4] and moved.top.tolist() == [2] and moved.bottom.tolist() == [5]
