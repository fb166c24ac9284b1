# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The report's keys are what others read; the page must be whole and safe."""

import json
import resource

import numpy as np
import pytest

from fcis_ros.evaluation import report as reports
from fcis_ros.evaluation.video import fit, write_video

AP = {
    "segm": {"AP": 0.25, "AP50": 0.5, "AP75": 0.2},
    "bbox": {"AP": 0.3, "AP50": 0.6, "AP75": 0.25},
    "per_class": {"car": 0.5, "pedestrian": None},
    "mAPr": {"0.5": 0.4, "0.7": 0.3},
}


def summary(**changes):
    values = dict(
        frames_in=5, latencies=[100.0, 110.0, 120.0, 400.0], seconds=2.0, stage_ms={"backbone": 50.123}, device="cpu",
        precision="fp32", model="fcis_road_r18", source="video <b>x</b>.mp4", rate=2.5, ap=AP, ap_answered=AP, seed=None,
        dropped={"overwritten": 1},
    )  # fmt: skip
    return reports.summarise(**{**values, **changes})


def test_keys():
    report = summary()
    promised = "frames_in frames_out frames_dropped latency_ms stage_ms fps device precision model input ap seed versions mAPr"
    assert set(promised.split()) <= set(report)
    assert set(report["ap"]) == {"segm", "bbox", "per_class"}
    assert (report["frames_in"], report["frames_out"], report["frames_dropped"], report["fps"]) == (5, 4, 1, 2.0)
    assert report["latency_ms"] == {"p50": 115.0, "p95": 358.0, "p99": 391.6, "max": 400.0}
    assert {"python", "torch", "numpy"} <= set(report["versions"])
    assert json.loads(json.dumps(report)) == report


def test_unusable_frames_are_told():
    report = summary(unusable=["frame 3: cut off", "frame 4: cut off"])
    assert report["frames_unusable"] == 2 and "2, the first: frame 3: cut off" in reports.table(report)
    assert summary()["frames_unusable"] == 0 and "could not be used" not in reports.table(summary())


def test_both_aps_are_told_where_frames_were_dropped():
    answered = {**AP, "segm": {"AP": 0.3125, "AP50": 0.625, "AP75": 0.25}}
    assert "0.312 / 0.625 / 0.250" in reports.table(summary(ap_answered=answered))
    assert "answered" not in reports.table(summary(frames_in=4, dropped={}, ap_answered=answered))


def test_without_answers_and_truth():
    report = summary(latencies=[], seconds=0.0, ap=None, ap_answered=None)
    assert report["latency_ms"]["p50"] is None and report["fps"] == 0 and report["ap"] is None and report["mAPr"] is None
    assert "no annotations given" in reports.table(report)


def test_table_names_everything():
    text = reports.table(summary())
    for part in (
        "2.5 frames/s",
        "5 / 4 / 1",
        "1 overwritten",
        "0.250 / 0.500 / 0.200",
        "car 0.500, pedestrian –",
        "0.400 / 0.300",
    ):
        assert part in text


@pytest.mark.parametrize("ap", [AP, None])
def test_page(tmp_path, ap):
    report = summary(ap=ap, ap_answered=ap)
    picture = np.zeros((700, 1000, 3), np.uint8)
    latencies = [100, 110, 120, None, 400]
    reports.write_html(report, tmp_path / "r.html", [("a & b", picture)], [0, 1, 2, 3, 4], latencies, {"x": "y"})
    page = (tmp_path / "r.html").read_text()
    assert page.count("data:image/") == 2 and "a &amp; b" in page
    assert "<b>x</b>" not in page and "&lt;b&gt;x" in page
    assert "http" not in page  # nothing is fetched
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize("latencies", [[], [None], [5.0]])
def test_plot_of_little(latencies):
    assert reports.latency_plot([0.0] * len(latencies), latencies).startswith(b"\x89PNG")


def test_json_file(tmp_path):
    reports.write_json(summary(), tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["frames_in"] == 5


def test_video_takes_frames_of_several_sizes(tmp_path):
    import cv2

    frames = [np.full((25, 33, 3), 200, np.uint8), np.full((50, 40, 3), 100, np.uint8)]
    write_video(tmp_path / "v.mp4", frames, 10)
    capture = cv2.VideoCapture(str(tmp_path / "v.mp4"))
    sizes = [frame.shape for ok, frame in (capture.read() for _ in range(3)) if ok]
    assert sizes == [(24, 32, 3)] * 2


def test_fit_keeps_proportions():
    fitted = fit(np.full((10, 40, 3), 255, np.uint8), 20, 20)
    rows = np.flatnonzero(fitted.any(axis=(1, 2)))
    assert (rows[0], rows[-1]) == (7, 11) and fitted.shape == (20, 20, 3)


def test_video_that_the_disk_cannot_hold(tmp_path):
    """A limit on the size of files stands for the disk: writing past it fails in the same way."""
    frames = np.random.default_rng(0).integers(0, 256, (5, 240, 320, 3), dtype=np.uint8)
    write_video(tmp_path / "whole.mp4", frames, 10)
    room = (tmp_path / "whole.mp4").stat().st_size // 2
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError, match="not whole"):
            write_video(tmp_path / "cut.mp4", frames, 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "cut.mp4").stat().st_size <= room


def test_video_that_cannot_be_opened(tmp_path):
    with pytest.raises(RuntimeError, match="OpenCV can write neither of vp09, mp4v"):
        write_video(tmp_path / "missing" / "v.mp4", [np.zeros((24, 32, 3), np.uint8)], 10)
