# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Parts of reports: plot, files and video are whole."""

import json
import resource

import numpy as np
import pytest

from fcis_ros.results import report_parts as reports
from fcis_ros.results.video import fit, write_video


@pytest.mark.parametrize("latencies", [[], [None], [5.0]])
def test_latency_plot_few_frames_gives_a_png(latencies):
    assert reports.latency_plot([0.0] * len(latencies), latencies).startswith(b"\x89PNG")


def test_write_json_report_is_read_back(tmp_path):
    reports.write_json({"frames_in": 5, "ap": None}, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == {"frames_in": 5, "ap": None}
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_write_video_several_sizes_are_fitted(tmp_path):
    import cv2

    frames = [np.full((25, 33, 3), 200, np.uint8), np.full((50, 40, 3), 100, np.uint8)]
    write_video(tmp_path / "v.mp4", frames, 10)
    capture = cv2.VideoCapture(str(tmp_path / "v.mp4"))
    sizes = [frame.shape for ok, frame in (capture.read() for _ in range(3)) if ok]
    assert sizes == [(24, 32, 3)] * 2


def test_fit_wide_image_keeps_its_proportions():
    fitted = fit(np.full((10, 40, 3), 255, np.uint8), 20, 20)
    rows = np.flatnonzero(fitted.any(axis=(1, 2)))
    assert (rows[0], rows[-1]) == (7, 11) and fitted.shape == (20, 20, 3)


def test_write_video_full_disk_is_an_error(tmp_path):
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


def test_write_video_missing_folder_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="OpenCV can write neither of vp09, mp4v"):
        write_video(tmp_path / "missing" / "v.mp4", [np.zeros((24, 32, 3), np.uint8)], 10)
