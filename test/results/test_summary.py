# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The parts of report.json say the same."""

import json

import pytest
from bag_evaluations import Network, change_json, run, written

from fcis_ros.findings import LISTED, Finding, from_json
from fcis_ros.results import summary
from fcis_ros.results.summary import ObjectCounts, summarise


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


def test_summarise_findings_are_those_of_readers_frames_and_the_run(bags, scenes, tmp_path):
    """In this order: what readers noticed, unusable frames by reason, and what an evaluation that was interrupted lacks."""
    entries, _ = scenes
    for index, encoding in ((3, "strange"), (5, "odd"), (7, "odd")):
        entries[index][2].encoding = encoding
    noticed = Finding("bag", "another file has the same frames", lost=False)
    bag = bags.write(entries)
    report = run(bag, None, tmp_path / "out", findings=[noticed])
    first, *frames = from_json(report["findings"])
    assert first == noticed and all(finding.source == "bag" and finding.lost for finding in frames)
    assert [finding.text.split("'")[:2] for finding in frames] == [
        ["2 frames: image: encoding ", "odd"], ["1 frame: image: encoding ", "strange"]
    ]  # fmt: skip
    assert report["frames_unusable"] == 3 and len(report["unusable_reasons"]) == 2
    with pytest.raises(KeyboardInterrupt):
        run(bag, None, tmp_path / "parts", Network(fails_at=2), findings=[noticed])
    assert from_json(summarise(tmp_path / "parts")["findings"]) == (
        noticed, Finding("bag", "not complete (interrupted): run the same command again to resume")
    )  # fmt: skip


def test_object_counts_rare_reasons_are_counted_together():
    counts = ObjectCounts(0.5, ["a", "b"])
    counts.leave_out("b", ["x: common", "y: common", *(f"x: {number}" for number in range(LISTED + 4))])
    findings = list(counts.findings())
    assert findings[0] == Finding("b", "2 frames: common") and len(findings) == LISTED + 1
    assert findings[-1] == Finding("b", "5 frames: 5 other reasons") and sum(counts.reasons.values()) == LISTED + 6


def test_object_counts_objects_of_other_classes_are_remarks():
    counts = ObjectCounts(0.5, ["b"])
    frame = {"scores": [], "repeated": False, "tracked": False, "log_time": 0, "bag": 0, "problem": None, "truth": None}
    frame |= {"moment": 0, "masks": [], "objects": [], "index": 0, "name": "0", "stamp": 0}
    list(counts.annotated_frames(iter([{**frame, "other_classes": {"dog": 2}}, {**frame, "other_classes": {"dog": 1}}, frame])))
    assert list(counts.findings()) == [Finding("b", "3 objects of class dog, which the model does not have", lost=False)]


def test_describe_recordings_are_named_without_their_folders():
    bags = [{"path": f"/home/me/{day}/drive", "topic": "/cam"} for day in ("mon", "tue", "wed", "thu")]
    named = ", ".join(f"bag {day}/drive, topic /cam" for day in ("mon", "tue", "wed"))
    assert summary.describe(bags) == f"{named} and 1 more"


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
