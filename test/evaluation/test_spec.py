# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
from unittest.mock import Mock

import pytest

from fcis_ros.evaluation.spec import Shard

COUNTS = [7, 0, 100, 1, 33]  # frames of each recording


@pytest.mark.parametrize("shards", [1, 2, 3, 5, 9, 400])
def test_shard_slices_cover_each_frame_once(shards):
    """In order; and a shard opens only the recordings that it needs."""
    seen = [0] * len(COUNTS)
    for number in range(1, shards + 1):
        opened = 0
        for bag, count in enumerate(COUNTS):
            frames = Mock(return_value=count)
            start, stop = Shard(number, shards).slice(bag, len(COUNTS), frames)
            opened += frames.called
            if start < stop:
                assert start == seen[bag]
                seen[bag] = stop
        assert opened <= len(COUNTS) / shards + 2
    assert seen == COUNTS
