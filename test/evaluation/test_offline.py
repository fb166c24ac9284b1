# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``evaluate_recordings`` itself runs in test/cli/test_evaluate_bag.py."""

from types import SimpleNamespace

import pytest

from fcis_ros.evaluation.offline import EDGE, fingerprint, timing_content


def test_timing_content_few_frames_equals_hand_calculation():
    times = [(10.0, {"rpn": 1.0}), (20.0, {"rpn": 5.0, "nms": 2.0}), (30.0, {"rpn": 3.0})]
    timing = timing_content(times, seconds=0.5)
    assert timing["latency_ms"] == pytest.approx({"p50": 20.0, "p95": 29.0, "p99": 29.8, "max": 30.0})
    assert (timing["frames"], timing["fps"], timing["stage_ms"]) == (3, 6.0, {"rpn": 3.0, "nms": 2.0})


def test_timing_content_without_frames_has_no_times():
    timing = timing_content([], seconds=0.0)
    assert set(timing["latency_ms"].values()) == {None} and timing["fps"] is None and timing["stage_ms"] == {}


def test_fingerprint_changed_size_or_ends_differ(tmp_path):
    """The middle of a file, which is not read, makes no difference."""
    size, path = 3 * EDGE, tmp_path / "a.mcap"
    recording = SimpleNamespace(splits=[SimpleNamespace(files=[path])])

    def with_change(offset, length=size):
        data = bytearray(length)
        if offset is not None:
            data[offset] = 1
        path.write_bytes(data)
        return fingerprint(recording)

    plain = with_change(None)
    assert plain == with_change(size // 2)
    different = [with_change(offset) for offset in (0, EDGE - 1, size - EDGE, size - 1)] + [with_change(None, size + 1)]
    assert len({plain, *different}) == 6
