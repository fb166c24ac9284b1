# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""IDF1 and switches of sequences that can be checked by hand."""

import numpy as np
import pytest

from fcis_ros.metrics.track_scores import TrackEvaluation, mask_overlaps, true_instances
from fcis_ros.structures import Sample

HIT, SWITCHED, MISSED = ([1], [7], [[0.9]]), ([1], [8], [[0.9]]), ([1], [], [])


def scores(*frames: tuple[list[int], list[int], list[list[float]]], counted=None):
    evaluation = TrackEvaluation()
    for true_ids, ids, overlaps in frames:
        overlaps = np.array(overlaps, float).reshape(len(true_ids), len(ids))
        evaluation.add(np.array(true_ids), np.array(ids), overlaps, counted)
    return evaluation.scores()


@pytest.mark.parametrize(
    ("frames", "idf1", "switches"),
    [
        pytest.param([HIT] * 4, 1, 0, id="one id"),
        pytest.param([HIT] * 3 + [SWITCHED], 0.75, 1, id="IDTP 3 of 4 objects and 4 instances: 2 * 3 / (4 + 4)"),
        pytest.param([HIT, SWITCHED, HIT], 2 / 3, 2, id="switched and back"),
        pytest.param([HIT, MISSED, HIT], 0.8, 0, id="gap"),
        pytest.param([HIT, MISSED, SWITCHED], 0.4, 1, id="gap and switch"),
        pytest.param(
            [([1, 2], [5, 6], [[0.9, 0.0], [0.0, 0.9]]), ([1, 2], [5, 6], [[0.0, 0.9], [0.9, 0.0]])], 0.5, 2, id="swapped"
        ),
        pytest.param([([1], [5], [[0.9]]), ([1], [5, 6], [[0.6, 0.95]])], 0.8, 0, id="earlier id still overlaps"),
        pytest.param([], 1, 0, id="no frames"),
        pytest.param([([], [], [])], 1, 0, id="empty frame"),
        pytest.param([([], [4], [])], 0, 0, id="false positive only"),
    ],
)
def test_scores_sequence_gives_values_by_hand(frames, idf1, switches):
    result = scores(*frames)
    assert (result.idf1, result.switches) == (pytest.approx(idf1), switches)


def test_scores_missed_and_false_instances_are_counted_by_frame():
    """4 objects, 2 instances, 1 match: 2 * 1 / (4 + 2)."""
    result = scores(([1, 2], [5], [[0.8], [0.0]]), ([1, 2], [6], [[0.2], [0.49]]))
    assert result.idf1 == pytest.approx(1 / 3)
    assert (result.switches, result.objects, result.instances, result.matched) == (0, 4, 2, 1)


def test_scores_ignored_object_ignores_its_instance():
    result = scores(([1, 2], [5, 6], [[0.9, 0.0], [0.0, 0.9]]), counted=np.array([True, False]))
    assert (result.objects, result.instances, result.matched, result.idf1) == (1, 1, 1, 1.0)


def test_mask_overlaps_sample_with_itself_equals_shared_pixels():
    masks = np.zeros((3, 6, 8), bool)
    masks[0, 1:3, 1:5] = masks[1, 1:3, 3:7] = masks[2, 4:, :] = True  # 0 and 1 share 4 of 12 pixels
    sample = Sample(np.zeros((6, 8, 3), np.uint8), masks, np.array([1, 1, 2]), np.zeros(3, bool), "x")
    objects = true_instances(sample, ("car", "tree"))
    assert np.array_equal(objects.masks, masks) and objects.boxes[0].tolist() == [1, 1, 5, 3]
    third = 4 / 12
    assert np.allclose(mask_overlaps(objects, objects), [[1, third, 0], [third, 1, 0], [0, 0, 1]])
