# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""IDF1 and switches of sequences that one can count on one's fingers."""

import numpy as np
import pytest

from fcis_ros.metrics.track_scores import TrackEvaluation, mask_overlaps, true_instances
from fcis_ros.structures import Sample


def scores(*frames: tuple[list[int], list[int], list[list[float]]], counted=None):
    evaluation = TrackEvaluation()
    for true, own, overlaps in frames:
        evaluation.add(np.array(true), np.array(own), np.array(overlaps, float).reshape(len(true), len(own)), counted)
    return evaluation.scores()


def test_one_id_all_along_is_perfect():
    found = scores(*[([1], [7], [[0.9]])] * 4)
    assert (found.idf1, found.switches, found.objects, found.instances, found.matched) == (1.0, 0, 4, 4, 4)


def test_a_switch_in_the_middle():
    """The better id covers 3 of 4 frames: IDTP 3, and one object and one instance are wrong: 2 * 3 / (4 + 4)."""
    found = scores(*[([1], [7], [[0.9]])] * 3, ([1], [8], [[0.9]]))
    assert found.idf1 == pytest.approx(0.75) and found.switches == 1


def test_there_and_back_are_two_switches_and_a_gap_is_none():
    assert scores(([1], [7], [[1]]), ([1], [8], [[1]]), ([1], [7], [[1]])).switches == 2
    assert scores(([1], [7], [[1]]), ([1], [], []), ([1], [7], [[1]])).switches == 0
    assert scores(([1], [7], [[1]]), ([1], [], []), ([1], [8], [[1]])).switches == 1


def test_missed_and_invented_count_by_frame():
    """4 true objects, 2 instances, 1 right: 2 * 1 / (4 + 2)."""
    found = scores(([1, 2], [5], [[0.8], [0.0]]), ([1, 2], [6], [[0.2], [0.49]]))
    assert found.idf1 == pytest.approx(1 / 3) and (found.switches, found.matched) == (0, 1)


def test_two_objects_that_swap_ids():
    crossed = [[0.0, 0.9], [0.9, 0.0]]
    found = scores(([1, 2], [5, 6], [[0.9, 0.0], [0.0, 0.9]]), ([1, 2], [5, 6], crossed))
    assert found.switches == 2 and found.idf1 == pytest.approx(0.5)


def test_an_instance_that_still_fits_is_kept_though_another_fits_better():
    found = scores(([1], [5], [[0.9]]), ([1], [5, 6], [[0.6, 0.95]]))
    assert found.switches == 0


def test_an_object_that_does_not_count_blames_nobody():
    found = scores(([1, 2], [5, 6], [[0.9, 0.0], [0.0, 0.9]]), counted=np.array([True, False]))
    assert (found.objects, found.instances, found.matched, found.idf1) == (1, 1, 1, 1.0)


def test_nothing_to_find():
    assert scores().idf1 == 1.0
    assert scores(([], [], [])).idf1 == 1.0
    assert scores(([], [4], [])).idf1 == 0.0


def test_overlaps_of_a_sample_with_itself():
    masks = np.zeros((3, 6, 8), bool)
    masks[0, 1:3, 1:5] = masks[1, 1:3, 3:7] = masks[2, 4:, :] = True  # 0 and 1 share 4 of 12 pixels
    sample = Sample(np.zeros((6, 8, 3), np.uint8), masks, np.array([1, 1, 2]), np.zeros(3, bool), "x")
    found = true_instances(sample, ("car", "tree"))
    assert np.array_equal(found.masks, masks) and found.boxes[0].tolist() == [1, 1, 5, 3]
    third = 4 / 12
    assert np.allclose(mask_overlaps(found, found), [[1, third, 0], [third, 1, 0], [0, 0, 1]])
