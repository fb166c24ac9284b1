# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Live evaluation: answers of a node are measured as offline; a dropped frame has no detections."""

import json
import shutil

import pytest
from bag_evaluations import NAMES, Network, run

from fcis_ros.bags.reader import open_recording
from fcis_ros.cli.main import main
from fcis_ros.errors import InputError
from fcis_ros.evaluation.ground_truth import AnnotationFile
from fcis_ros.evaluation.recordings import EvaluationInputs
from fcis_ros.evaluation.spec import EvaluationSpec
from fcis_ros.results.run_report import table

pytestmark = pytest.mark.ros


def live(bag, annotations, folder, drop=(), rate=10.0):
    """Evaluates answers to all frames but ``drop``, each 10 ms later than the one before."""
    from fcis_ros.evaluation.live import Answers, evaluate_answers
    from fcis_ros.evaluation.replay import Measured

    recording = open_recording(bag)
    measured, answers, network = Measured(seconds=2.0, stage_ms={"backbone": 50.123}), {}, Network()
    for record in recording.frames():
        stamp = 1000 + record.index
        measured.sent[stamp] = record.index / 10
        if record.index not in drop:
            measured.answered[stamp] = 100.0 + 10 * record.index
            answers[stamp] = network.predict([record.image()], 0)[0].instances
    measured.facts = {"frames_overwritten": str(len(drop)), "device": "cpu", "precision": "fp32"}
    truth = AnnotationFile(annotations, NAMES, recording.named, recording.count) if annotations else None
    about = truth and {"file": annotations.name, "matched_by": truth.matched_by}
    spec = EvaluationSpec((str(bag),), None, annotations, None, bag / "metadata.yaml", "cpu", None, "fp32", 0.5)
    inputs = EvaluationInputs([recording], [truth] if truth else None, NAMES)
    return evaluate_answers(inputs, Answers(measured, answers), spec, rate, {"truth": about}, folder)


def test_live_all_answered_equals_offline(bag, annotations, tmp_path):
    offline = run(bag, annotations, tmp_path / "offline")
    report = live(bag, annotations, tmp_path / "live")
    assert report["ap"] == report["ap_answered"] == offline["ap"] and report["mAPr"] == offline["mAPr"]
    names = ("detections.json", "annotations.json", "frames.jsonl")
    assert all((tmp_path / "live" / name).read_bytes() == (tmp_path / "offline" / name).read_bytes() for name in names)


def test_live_dropped_frames_are_counted_by_reason(bag, annotations, tmp_path):
    report = live(bag, annotations, tmp_path / "live", drop=(2, 3, 7))
    assert (report["frames_in"], report["frames_out"], report["frames_dropped"], report["fps"]) == (12, 9, 3, 4.5)
    assert report["dropped"] == {"overwritten": 3, "rejected": 0, "stale": 0, "failed": 0, "lost on the way": 0}
    assert report["latency_ms"]["p50"] == 160.0 and report["latency_ms"]["max"] == 210.0
    assert report["ap"]["segm"]["AP50"] < report["ap_answered"]["segm"]["AP50"]
    text = table(report)
    for part in ("12 / 9 / 3", "3 overwritten", "backbone 50", "answered frames only"):
        assert part in text
    page = (tmp_path / "live/report.html").read_text()
    assert "10 frames per second" in page and "data:image/png" in page and "answered frames only" in page
    assert main(["report", str(tmp_path / "live"), "--score", "0.2"]) == 0  # from the folder alone
    assert json.loads((tmp_path / "live/report.json").read_text())["latency_ms"] == report["latency_ms"]


def test_live_without_ground_truth_reports_no_ap(bag, tmp_path):
    report = live(bag, None, tmp_path / "live", rate=None)
    assert report["ap"] is None and report["ap_answered"] is None and report["fps"] == 6.0
    assert "at the recorded times" in (tmp_path / "live/report.html").read_text()


def test_play_precision_and_threads_become_node_parameters(bag, tmp_path, tiny_checkpoint, monkeypatch):
    from fcis_ros.evaluation import live as module

    given = []

    def replay(clip, output, parameters, *rest):
        given.append(parameters)
        raise InputError("no node here")

    monkeypatch.setattr(module, "replay", replay)
    command = ["evaluate-bag", str(bag), "--live", "--checkpoint", str(tiny_checkpoint), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert main([*command, "--precision", "fp32", "--threads", "3"]) == 2
    assert [(parameters["precision"], parameters["threads"]) for parameters in given] == [("auto", 0), ("fp32", 3)]


def test_live_recording_is_answered_by_the_node(tmp_path, tiny_checkpoint, capsys):
    """The default clip, recorded with truth, offline and live; the node is a separate process."""
    bag, model = str(tmp_path / "bag"), ["--checkpoint", str(tiny_checkpoint), "--device", "cpu"]
    assert main(["record", "synthetic", "--frames", "5", "--rate", "2", "--out", bag]) == 0
    command = ["evaluate-bag", bag, "--truth-topic", "/truth/masks", *model, "--out"]
    command = [*command[:-1], "--precision", "fp32", "--threads", "1", "--out"]
    assert main([*command, str(tmp_path / "live"), "--live"]) == 0
    assert main([*command, str(tmp_path / "offline")]) == 0
    live, offline = (json.loads((tmp_path / name / "report.json").read_text()) for name in ("live", "offline"))
    assert live["precision"] == offline["precision"] == "fp32"
    assert (live["mode"], live["frames_in"], offline["frames_in"]) == ("live", 5, 5) and live["frames_out"] >= 1
    if not live["frames_dropped"]:
        assert live["ap"]["segm"]["AP"] == pytest.approx(offline["ap"]["segm"]["AP"], abs=1e-6)
    assert main([*command, str(tmp_path / "live"), "--live"]) == 2
    assert "exists already" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "live")
