# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The frames that a report shows, from counts by hand."""

import random

import pytest
from bag_evaluations import counted

from fcis_ros.results.frame_selection import FrameSelection


def selected(records):
    """The indices of the best, the worst and the missed, highest rank first, and of each time bin."""
    selection = FrameSelection(0.5, records)
    ranked = [selection.best, selection.worst, selection.missed, *selection.time_bins.values()]
    assert selection.keys() == {key for ranks in ranked for key in ranks}
    return [[key[1] for key in sorted(ranks, key=ranks.get, reverse=True)] for ranks in ranked]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([counted(0, 2), counted(1, 3, 1), counted(2, 3), counted(3)], [[2, 1, 0], [1], [], [1]]),
        ([counted(0, 1, 1), counted(1, 1, 0, 2, 9.0), counted(2, 0, 1)], [[0, 1], [1, 0, 2], [1], [1]]),
        ([counted(0, 0, 0, 1, 5.0), counted(1, 0, 0, 3, 4.0)], [[], [1, 0], [0, 1], [1]]),
        ([counted(i, 1, 1) for i in range(9)], [[*range(8)], [*range(8)], [], [0]]),
        ([counted(0, 1, problem="damaged"), counted(1, 5, truth=None)], [[], [], [], [1]]),
        ([counted(0, 1), counted(1, 2), counted(2, moment=1)], [[1, 0], [], [], [1], [2]]),
    ],
    ids=["lead, then number", "errors", "largest missed", "first of equals", "no ground truth", "detections of a time bin"],
)
def test_frame_selection_counts_decide_in_any_order(records, expected):
    assert selected(records) == expected
    random.Random(1).shuffle(records)
    assert sorted(selected(records)) == sorted(expected)
