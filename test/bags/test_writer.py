# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Clips that cannot be recorded are refused with a reason."""

import numpy as np
import pytest

from fcis_ros.bags import writer
from fcis_ros.data.frame_sources import Frame
from fcis_ros.errors import InputError
from fcis_ros.findings import Unusable


@pytest.mark.parametrize(
    ("clip", "problem"),
    [
        ([], "no frames"),
        ([Frame("a", 2, np.zeros((9, 9, 3), np.uint8)), Frame("b", 2, np.zeros((9, 9, 3), np.uint8))], "frame b: its stamp"),
        ([Frame("a", 2, np.zeros((1, 1, 3), np.uint8))], "no frames that can be used; the first, a: .*1x1 is too small"),
    ],
)
def test_record_unusable_frames_is_refused(tmp_path, clip, problem):
    with pytest.raises(InputError, match=problem):
        writer.record(clip, tmp_path / "bag")


def test_record_some_unusable_frames_are_left_out(tmp_path):
    good, small = np.zeros((9, 9, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)
    frames = [Frame("a", 1, good), Unusable("b", "cut off"), Frame("c", 3, small), Frame("d", 4, good)]
    clip = writer.record(frames, tmp_path / "bag")
    assert [frame.name for frame in clip.frames.values()] == ["a", "d"]
    assert clip.unusable[0] == frames[1] and clip.unusable[1].name == "c" and "1x1" in clip.unusable[1].reason


def test_record_clip_larger_than_the_disk_is_refused(tmp_path):
    with pytest.raises(InputError, match="GB are free"):
        writer.record([Frame("a", 1, np.zeros((9, 9, 3), np.uint8))], tmp_path / "bag", expected=10**15)
