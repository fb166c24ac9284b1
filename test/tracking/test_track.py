# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Occluded edges, and the extent of the whole object meanwhile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.tracking.track import Observation, Track, mask_boxes, unoccluded_edges

ALL = [True] * 4
HEIGHT, WIDTH = 300, 400


def filled(box: list[int], unoccluded: list[bool], seconds: float) -> Observation:
    runs = np.array([(column, box[1], box[3]) for column in range(box[0], box[2])], np.int32)
    return Observation(np.array(box, np.int32), runs, (box[2] - box[0]) * (box[3] - box[1]), unoccluded, seconds)


def started(box: list[int], unoccluded: list[bool] = ALL) -> Track:
    return Track.begin(1, 1, filled(box, unoccluded, 0.0))


def update(track: Track, seconds: float, box: list[int], unoccluded: list[bool] = ALL, mask_area: float = 1e9) -> None:
    track.update(filled(box, unoccluded, seconds), mask_area)


def edges(*boxes: list[int]) -> list[list[bool]]:
    return unoccluded_edges(np.array(boxes, np.int32), np.ones((len(boxes), len(boxes)), bool), HEIGHT, WIDTH).tolist()


@pytest.mark.parametrize(
    ("nearer", "unoccluded"),
    [
        ([60, 30, 90, 90], [True, True, False, True]),  # begins where the other ends, and ends lower
        ([60, 20, 90, 50], ALL),  # ends higher, so it is behind
        ([60, 30, 90, 59], [True, True, False, True]),  # ends at about the same height
        ([60, 20, 100, 60], [True, True, False, True]),
        ([0, 20, 20, 60], [False, True, True, True]),
        ([64, 30, 90, 90], ALL),  # 4 pixels of road between them
        ([60, 52, 90, 90], ALL),  # along a fifth of the edge
        ([20, 60, 60, 90], [True, True, True, False]),
        ([25, 45, 75, 95], [True, True, False, False]),
        ([10, 10, 100, 100], [False] * 4),
    ],
)
def test_unoccluded_edges_nearer_box_outside_edge_occludes_it(nearer, unoccluded):
    assert edges([20, 20, 60, 60], nearer)[0] == unoccluded


@pytest.mark.parametrize(
    ("box", "unoccluded"),
    [
        ([1, 1, WIDTH - 1, HEIGHT - 1], ALL),
        ([0, 5, 9, HEIGHT], [False, True, True, False]),
        ([5, 0, WIDTH, 9], [True, False, False, True]),
    ],
)
def test_unoccluded_edges_single_box_is_occluded_by_the_border_only(box, unoccluded):
    assert edges(box) == [unoccluded]


def test_unoccluded_edges_no_boxes_is_empty():
    assert unoccluded_edges(np.zeros((0, 4), np.int32), np.zeros((0, 0), bool), HEIGHT, WIDTH).shape == (0, 4)


def test_unoccluded_edges_duplicates_do_not_occlude_each_other():
    pair = np.array([[20, 20, 60, 60], [25, 25, 70, 70]])
    assert unoccluded_edges(pair, np.ones((2, 2), bool), HEIGHT, WIDTH).tolist() != [ALL, ALL]
    assert unoccluded_edges(pair, np.zeros((2, 2), bool), HEIGHT, WIDTH).tolist() == [ALL, ALL]


def test_track_unoccluded_velocity_is_mean():
    track = started([0, 0, 10, 10])
    update(track, 0.1, [1, 0, 12, 10])
    update(track, 0.2, [2, 0, 14, 10])
    np.testing.assert_allclose(track.velocity, [10, 0, 20, 0])
    np.testing.assert_allclose(track.predict(1.2), [12, 0, 34, 10])


def test_predict_converging_edges_move_together():
    track = started([0, 0, 100, 10])
    update(track, 1.0, [40, 0, 100, 10])
    assert track.velocity == [40, 0, 0, 0]
    np.testing.assert_allclose(track.predict(1.5), [60, 0, 100, 10])
    np.testing.assert_allclose(track.predict(2.0), [60, 0, 120, 10])  # [80, 100] would be a third of its width


def test_track_occluded_edge_keeps_size():
    """A car of 40 columns drives right, 50 pixels per second, behind an object that begins at column 60."""
    track = started([10, 0, 50, 20])
    update(track, 0.1, [15, 0, 55, 20])
    update(track, 0.2, [20, 0, 60, 20])
    for step in range(3, 11):
        update(track, 0.1 * step, [10 + 5 * step, 0, 60, 20], [True, True, False, True])
        np.testing.assert_allclose(track.extent, [10 + 5 * step, 0, 50 + 5 * step, 20])
        np.testing.assert_allclose(track.velocity, [50, 0, 50, 0], atol=1e-9)
    assert track.mask.box.tolist() == [20, 0, 60, 20]  # the whole mask is kept
    np.testing.assert_allclose(mask_boxes([track], np.array([track.predict(1.2)])), [[70, 0, 110, 20]])


def test_track_edge_that_appears_does_not_change_velocity():
    track = started([10, 0, 30, 20], [True, True, False, True])
    update(track, 0.1, [10, 0, 50, 20])
    assert track.extent == [10, 0, 50, 20] and track.velocity == [0] * 4
    update(track, 0.2, [10, 0, 54, 20])
    assert track.velocity[2] == pytest.approx(40)


def test_track_always_occluded_moves_as_visible_part():
    """One of three abreast, walking right, 20 pixels a second."""
    occluded = [False] * 4
    track = started([10, 0, 20, 30], occluded)
    for step in range(1, 30):
        update(track, 0.1 * step, [10 + 2 * step, 0, 20 + 2 * step, 30], occluded)
    np.testing.assert_allclose(track.velocity, [20, 0, 20, 0], atol=0.01)
    # The first unoccluded edge counts at once.
    update(track, 3.0, [60, 0, 75, 30], [True, True, False, True])
    update(track, 3.1, [65, 0, 80, 30], [True, True, False, True])
    assert track.velocity[0] == pytest.approx(50)


def test_track_two_occluded_edges_keep_velocity():
    track = started([0, 0, 40, 20])
    update(track, 1.0, [10, 0, 50, 20])
    occluded = [False, True, False, True]
    update(track, 2.0, [30, 0, 40, 20], occluded)
    assert track.extent == [20, 0, 60, 20] and track.velocity == [10, 0, 10, 0]
    update(track, 3.0, [75, 0, 80, 20], occluded)  # 10 columns farther than it could be
    assert track.extent == [40, 0, 80, 20] and track.velocity == [10, 0, 10, 0]


def test_track_partly_occluded_mask_replaces_when_large_enough():
    track = started([0, 0, 40, 20])
    update(track, 0.1, [0, 0, 20, 20], [True, True, False, True], mask_area=800)
    assert track.mask.box.tolist() == [0, 0, 40, 20]
    update(track, 0.2, [0, 0, 30, 20], [True, True, False, True], mask_area=800)
    assert track.mask.box.tolist() == [0, 0, 30, 20] and track.mask_extent == [0, 0, 40, 20]
    # The part stays where it is in the whole: three quarters from the left, also at twice the size.
    np.testing.assert_allclose(mask_boxes([track], np.array([[100.0, 0, 180, 40]])), [[100, 0, 160, 40]])


@pytest.mark.parametrize("seconds", [0.0, 1e-9])
def test_track_equal_stamps_keep_velocity(seconds):
    track = started([0, 0, 10, 10])
    update(track, seconds, [5, 0, 15, 10])
    assert track.extent == [5, 0, 15, 10] and track.velocity == [0] * 4


boxes = st.tuples(*[st.integers(0, 200)] * 2, *[st.integers(1, 100)] * 2).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])


@given(boxes, st.lists(st.tuples(st.floats(0, 2), boxes, st.lists(st.booleans(), min_size=4, max_size=4)), max_size=8))
def test_track_extent_contains_observations(first, frames):
    track, now = started(first), 0.0
    for passed, box, unoccluded in frames:
        now += passed
        update(track, now, box, unoccluded)
        assert all(np.less_equal(track.extent[:2], box[:2])) and all(np.greater_equal(track.extent[2:], box[2:]))
        assert [track.extent[i] == box[i] for i in range(4) if unoccluded[i]] == [True] * sum(unoccluded)
        assert np.isfinite(track.velocity).all()


@given(st.lists(boxes, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_unoccluded_edges_order_does_not_matter(entries, random):
    order = sorted(range(len(entries)), key=lambda _: random.random())
    assert [edges(*entries)[i] for i in order] == edges(*(entries[i] for i in order))
