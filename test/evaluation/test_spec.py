# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest

from fcis_ros.evaluation.spec import Shard


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9, 400])
def test_shard_slices_cover_each_frame_once(count):
    frames = [7, 0, 100, 1, 33]
    covered = [0] * len(frames)
    for number in range(1, count + 1):
        parts = [Shard(number, count).slice(bag, len(frames), total) for bag, total in enumerate(frames)]
        assert sum(start < stop for start, stop in parts) <= len(frames) / count + 2  # neighbouring recordings
        for bag, (start, stop) in enumerate(parts):
            if start < stop:
                assert start == covered[bag]
                covered[bag] = stop
    assert covered == frames
