# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One track: what hides its edges, and where the whole object is meanwhile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.tracking.track import Observation, Track, free_edges, mask_boxes

ALL = [True] * 4
HEIGHT, WIDTH = 300, 400


def one(box: list[int], free: list[bool], seconds: float) -> Observation:
    """A filled box."""
    runs = np.array([(column, box[1], box[3]) for column in range(box[0], box[2])], np.int32)
    return Observation(np.array(box, np.int32), runs, (box[2] - box[0]) * (box[3] - box[1]), free, seconds)


def started(box: list[int], free: list[bool] = ALL) -> Track:
    return Track.begin(1, 1, one(box, free, 0.0))


def take(track: Track, seconds: float, box: list[int], free: list[bool] = ALL, known: float = 1e9) -> None:
    track.take(one(box, free, seconds), known)


def edges(*boxes: list[int]) -> list[list[bool]]:
    return free_edges(np.array(boxes, np.int32), np.ones((len(boxes), len(boxes)), bool), HEIGHT, WIDTH).tolist()


@pytest.mark.parametrize(
    ("nearer", "free"),
    [
        ([60, 30, 90, 90], [True, True, False, True]),  # begins where the other ends, and stands lower
        ([60, 20, 90, 50], ALL),  # stands higher, so behind it
        ([60, 30, 90, 59], [True, True, False, True]),  # as good as level
        ([64, 30, 90, 90], ALL),  # 4 pixels of road between them
        ([60, 52, 90, 90], ALL),  # beside a fifth of the edge
        ([20, 60, 60, 90], [True, True, True, False]),
        ([25, 45, 75, 95], [True, True, False, False]),
        ([10, 10, 100, 100], [False] * 4),
    ],
)
def test_an_edge_is_hidden_where_a_nearer_box_lies_behind_it(nearer, free):
    assert edges([20, 20, 60, 60], nearer)[0] == free


def test_two_that_stand_level_may_each_hide_the_other():
    assert edges([20, 20, 60, 60], [60, 20, 100, 60]) == [[True, True, False, True], [False, True, True, True]]


def test_alone_nothing_is_hidden():
    assert edges([1, 1, WIDTH - 1, HEIGHT - 1]) == [ALL]
    assert free_edges(np.zeros((0, 4), np.int32), np.zeros((0, 0), bool), HEIGHT, WIDTH).shape == (0, 4)


def test_nobody_ends_where_the_picture_ends():
    assert edges([0, 5, 9, HEIGHT]) == [[False, True, True, False]]
    assert edges([5, 0, WIDTH, 9]) == [[True, False, False, True]]


def test_two_that_are_not_apart_hide_nothing_of_each_other():
    pair = np.array([[20, 20, 60, 60], [25, 25, 70, 70]])
    assert free_edges(pair, np.ones((2, 2), bool), HEIGHT, WIDTH).tolist() != [ALL, ALL]
    assert free_edges(pair, np.zeros((2, 2), bool), HEIGHT, WIDTH).tolist() == [ALL, ALL]


def test_velocity_is_the_mean_of_what_was_seen():
    track = started([0, 0, 10, 10])
    take(track, 0.1, [1, 0, 12, 10])
    take(track, 0.2, [2, 0, 14, 10])
    np.testing.assert_allclose(track.velocity, [10, 0, 20, 0])
    np.testing.assert_allclose(track.predict(1.2), [12, 0, 34, 10])


def test_edges_that_run_into_each_other_go_on_together():
    track = started([0, 0, 100, 10])
    take(track, 1.0, [40, 0, 100, 10])
    assert track.velocity == [40, 0, 0, 0]
    np.testing.assert_allclose(track.predict(1.5), [60, 0, 100, 10])
    np.testing.assert_allclose(track.predict(2.0), [60, 0, 120, 10])  # [80, 100] would be a third of its width


def test_behind_an_edge_that_is_hidden_the_object_stays_as_large_as_it_was():
    """A car of 40 columns drives right, 50 pixels a second, behind something that begins at column 60."""
    track = started([10, 0, 50, 20])
    take(track, 0.1, [15, 0, 55, 20])
    take(track, 0.2, [20, 0, 60, 20])
    for step in range(3, 11):
        take(track, 0.1 * step, [10 + 5 * step, 0, 60, 20], [True, True, False, True])
        np.testing.assert_allclose(track.place, [10 + 5 * step, 0, 50 + 5 * step, 20])
        np.testing.assert_allclose(track.velocity, [50, 0, 50, 0], atol=1e-9)
    assert track.mask.box.tolist() == [20, 0, 60, 20]  # the whole mask is kept
    np.testing.assert_allclose(mask_boxes([track], np.array([track.predict(1.2)])), [[70, 0, 110, 20]])


def test_an_edge_that_appears_says_nothing_of_speed():
    """What comes out of hiding is where it is, but did not jump there."""
    track = started([10, 0, 30, 20], [True, True, False, True])
    take(track, 0.1, [10, 0, 50, 20])
    assert track.place == [10, 0, 50, 20] and track.velocity == [0] * 4
    take(track, 0.2, [10, 0, 54, 20])
    assert track.velocity[2] == pytest.approx(40)


def test_who_never_shows_an_edge_of_its_own_moves_as_what_is_seen_of_it():
    """One of three abreast, walking right, 20 pixels a second."""
    hidden = [False] * 4
    track = started([10, 0, 20, 30], hidden)
    for step in range(1, 30):
        take(track, 0.1 * step, [10 + 2 * step, 0, 20 + 2 * step, 30], hidden)
    np.testing.assert_allclose(track.velocity, [20, 0, 20, 0], atol=0.01)
    # The first edge that is its own is believed at once.
    take(track, 3.0, [60, 0, 75, 30], [True, True, False, True])
    take(track, 3.1, [65, 0, 80, 30], [True, True, False, True])
    assert track.velocity[0] == pytest.approx(50)


def test_between_two_hidden_edges_it_goes_on_as_it_was_going():
    track = started([0, 0, 40, 20])
    take(track, 1.0, [10, 0, 50, 20])
    hidden = [False, True, False, True]
    take(track, 2.0, [30, 0, 40, 20], hidden)
    assert track.place == [20, 0, 60, 20] and track.velocity == [10, 0, 10, 0]
    take(track, 3.0, [75, 0, 80, 20], hidden)  # 10 columns farther than it could be
    assert track.place == [40, 0, 80, 20] and track.velocity == [10, 0, 10, 0]


def test_a_partly_hidden_mask_is_taken_when_it_shows_enough():
    track = started([0, 0, 40, 20])
    take(track, 0.1, [0, 0, 20, 20], [True, True, False, True], known=800)
    assert track.mask.box.tolist() == [0, 0, 40, 20]
    take(track, 0.2, [0, 0, 30, 20], [True, True, False, True], known=800)
    assert track.mask.box.tolist() == [0, 0, 30, 20] and track.origin == [0, 0, 40, 20]
    # The part stays where it is in the whole: three quarters from the left, also at twice the size.
    np.testing.assert_allclose(mask_boxes([track], np.array([[100.0, 0, 180, 40]])), [[100, 0, 160, 40]])


@pytest.mark.parametrize("seconds", [0.0, 1e-9])
def test_two_frames_of_one_moment_tell_no_velocity(seconds):
    track = started([0, 0, 10, 10])
    take(track, seconds, [5, 0, 15, 10])
    assert track.place == [5, 0, 15, 10] and track.velocity == [0] * 4


boxes = st.tuples(*[st.integers(0, 200)] * 2, *[st.integers(1, 100)] * 2).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])


@given(boxes, st.lists(st.tuples(st.floats(0, 2), boxes, st.lists(st.booleans(), min_size=4, max_size=4)), max_size=8))
def test_the_whole_object_always_holds_what_is_seen_of_it(first, frames):
    track, now = started(first), 0.0
    for passed, box, free in frames:
        now += passed
        take(track, now, box, free)
        assert track.place[0] <= box[0] and track.place[1] <= box[1] and track.place[2] >= box[2] and track.place[3] >= box[3]
        assert [track.place[i] == box[i] for i in range(4) if free[i]] == [True] * sum(free)
        assert np.isfinite(track.velocity).all()


@given(st.lists(boxes, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_boxes_does_not_matter(found, random):
    order = sorted(range(len(found)), key=lambda _: random.random())
    assert [edges(*found)[i] for i in order] == edges(*(found[i] for i in order))
