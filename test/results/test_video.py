# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A video is whole, or an error."""

import resource

import cv2
import numpy as np
import pytest

from fcis_ros.results.video import fit, write_video


def test_write_video_several_sizes_are_fitted(tmp_path):
    frames = [np.full((25, 33, 3), 200, np.uint8), np.full((50, 40, 3), 100, np.uint8)]
    write_video(tmp_path / "v.mp4", frames, 10)
    capture = cv2.VideoCapture(str(tmp_path / "v.mp4"))
    assert [frame.shape for ok, frame in (capture.read() for _ in range(3)) if ok] == [(24, 32, 3)] * 2


def test_fit_wide_image_keeps_its_proportions():
    fitted = fit(np.full((10, 40, 3), 255, np.uint8), 20, 20)
    rows = np.flatnonzero(fitted.any(axis=(1, 2)))
    assert (rows[0], rows[-1]) == (7, 11) and fitted.shape == (20, 20, 3)


def test_write_video_full_disk_is_an_error(tmp_path):
    """A limit on the size of files stands for the disk: writing past it fails in the same way."""
    frames = np.random.default_rng(0).integers(0, 256, (5, 240, 320, 3), dtype=np.uint8)
    write_video(tmp_path / "whole.mp4", frames, 10)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "whole.mp4").stat().st_size // 2, hard))
    try:
        with pytest.raises(OSError, match="not whole"):
            write_video(tmp_path / "cut.mp4", frames, 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_write_video_missing_folder_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="OpenCV can write neither of vp09, mp4v"):
        write_video(tmp_path / "missing" / "v.mp4", [np.zeros((24, 32, 3), np.uint8)], 10)
