# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest

from fcis_ros.ros import diagnostics
from fcis_ros.ros.diagnostics import ERROR, OK, WARN
from fcis_ros.ros.frame_queue import FrameCounts
from fcis_ros.ros.input_diagnosis import Silence


def test_rate_window_counts_growth_within_window():
    rates = diagnostics.RateWindow(0.0, window=5.0)
    for second in range(20):
        added, seconds = rates(float(second), FrameCounts(received=10 * second, processed=4 * second, overwritten=6 * second))
    assert seconds == 5.0 and (added["received"], added["processed"], added["overwritten"]) == (50, 20, 30)


def test_rate_window_first_call_includes_earlier_frames():
    rates = diagnostics.RateWindow(7.0)
    added, seconds = rates(8.0, FrameCounts(received=3, failed=1, waiting=2))
    assert (added["received"], added["failed"], added["processed"], seconds) == (3, 1, 0, 1.0)
    assert rates(8.5, FrameCounts(received=4, processed=3, failed=1))[0]["received"] == 4


def test_recent_old_values_are_left_out():
    recent = diagnostics.Recent(window=5.0)
    recent.add(0.0, {"convert": 1000.0})  # too old to count
    for number in range(101):
        recent.add(10.0, {"convert": float(number), **({"overlay": 7.0} if number == 3 else {})})
    assert recent.percentiles(11.0, (50, 95)) == {"convert": [50.0, 95.0], "overlay": [7.0, 7.0]}
    assert recent.percentiles(16.0, (50,)) == {}


def status(state="active", silence=None, problems=(), **added):
    added = dict.fromkeys(("received", "processed", "overwritten", "rejected", "stale", "failed"), 0) | added
    counts = FrameCounts(received=100, processed=1, failed=99)  # history must not matter
    return diagnostics.camera_status("camera", state, counts, added, 5.0, {"latency_ms": [1.0, 2.0]}, silence, problems, {})


@pytest.mark.parametrize(
    ("arguments", "level", "message"),
    [
        ({"received": 50, "processed": 20, "overwritten": 30}, OK, "4.0 of 10.0 frames/s"),
        ({"failed": 1, "rejected": 5}, ERROR, "1 frames failed in the last 5 s"),
        ({"rejected": 5, "processed": 5}, WARN, "5 frames rejected in the last 5 s"),
        ({"stale": 5}, WARN, "all 5 frames in the last 5 s were older than max_age_ms"),
        ({"stale": 5, "processed": 1}, OK, "0.2 of 0.0 frames/s"),
        ({"silence": Silence("no_publisher", "no camera")}, WARN, "no camera"),
        ({"silence": Silence("wrong_type", "a string", error=True)}, ERROR, "a string"),
        ({"problems": ["no time stamp"]}, WARN, "no time stamp"),
        ({"state": "inactive", "silence": Silence("no_publisher", "no camera")}, OK, "inactive"),
        ({"state": "disabled"}, OK, "disabled"),
    ],
)
def test_camera_status_level_depends_on_last_seconds(arguments, level, message):
    result = status(**arguments)
    assert (result.level, result.message) == (level, message)


def test_camera_status_values_are_complete():
    values = status(received=50, processed=20).values
    assert values["frames_received"] == 100 and values["frames_failed"] == 99
    assert (values["input_hz"], values["output_hz"]) == ("10.0", "4.0")
    assert (values["latency_ms_p50"], values["latency_ms_p95"]) == ("1.0", "2.0")


def test_model_status_loading_and_damaged_model():
    loading = diagnostics.model_status("configuring", "2/3 reading the checkpoint", {}, 0, {})
    assert (loading.level, loading.message) == (OK, "configuring: 2/3 reading the checkpoint")
    assert loading.values["loading"] == "2/3 reading the checkpoint" and float(loading.values["memory_mb"]) > 10
    damaged = diagnostics.model_status("active", "", {"rpn": [1.234]}, 3, {"device": "cpu"})
    assert damaged.level == WARN and "3 ROIs" in damaged.message
    assert damaged.values["stage_ms.rpn"] == "1.23" and damaged.values["device"] == "cpu"
