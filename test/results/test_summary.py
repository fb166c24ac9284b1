# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The parts of report.json say the same."""

import json

from bag_evaluations import change_json, run, written

from fcis_ros.results.summary import summarise


def test_summarise_gallery_and_timeline_equal_the_sweep(bag, scenes, tmp_path):
    """Of an evaluation whose ground truth lacks every other object, so that there are false positives."""
    truth = written(tmp_path / "half.json", scenes[1], annotations=scenes[1]["annotations"][::2])
    report = run(bag, truth, tmp_path / "out")
    (at,) = [line for line in report["sweep"]["all"] if line["score"] == report["score"]]
    for name in ("right", "wrong", "missed"):
        assert sum(each[name] for each in report["timeline"]) == at[name] > 0
    worst = [frame["wrong"] + frame["missed"] for frame in report["gallery"]["worst"]]
    areas = [frame["largest_missed"] for frame in report["gallery"]["missed"]]
    for values in (worst, areas):
        assert values == sorted(values, reverse=True) and values[0] > 0
    assert all((tmp_path / f"out/pictures/00000-{frame['index']:08d}.jpg").is_file() for frame in report["gallery"]["best"])


def test_summarise_live_evaluation_counts_dropped_frames(folder):
    """Of twelve frames every third was dropped."""
    offline = summarise(folder)
    change_json(folder / "run.json", lambda content: content["what"].update(mode="live"))
    latencies = [None if i % 3 == 1 else 10.0 * i for i in range(12)]
    live = {"rate": 5.0, "seconds": 4.0, "sent": [0.2 * i for i in range(12)], "latency_ms": latencies}
    (folder / "live.json").write_text(json.dumps({**live, "stage_ms": {"network": 1.234}, "dropped": {"stale": 4}}))
    report = summarise(folder)
    assert (report["frames_in"], report["frames_out"], report["frames_dropped"], report["fps"]) == (12, 8, 4, 2.0)
    assert report["latency_ms"] == {"p50": 55.0, "p95": 103.0, "p99": 108.6, "max": 110.0}
    assert report["stage_ms"] == {"network": 1.23} and report["dropped"] == {"stale": 4} and report["input_fps"] == 5.0
    assert (offline["ap_answered"], offline["fps"], offline["latency_ms"]["max"]) == (None, None, None)
    assert report["ap"] == offline["ap"] != report["ap_answered"]
