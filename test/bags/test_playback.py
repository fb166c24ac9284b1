# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recordings as frames that can be played again: what is recorded comes back, with times that increase."""

import itertools

import numpy as np
import pytest

from fcis_ros.bags import writer
from fcis_ros.bags.playback import open_bag, playable
from fcis_ros.data.frame_sources import Frame
from fcis_ros.errors import InputError
from fcis_ros.findings import Unusable
from fcis_ros.messages.typestore import IMAGE

DAY = 86_400 * 1_000_000_000


def test_open_bag_recorded_clip_gives_the_frames(bags, tmp_path):
    recorded = bags.frames(5)
    clip = writer.record(recorded, tmp_path / "bag", 5)
    assert clip.unusable == () and clip.frames == {frame.stamp: writer.ClipFrame(frame.name, 12, 18) for frame in recorded}
    source = open_bag(tmp_path / "bag")
    assert source.count == 5 and source.rate == pytest.approx(10)
    for _ in range(2):
        for before, after in itertools.zip_longest(recorded, source.frames()):
            assert (before.name, before.stamp) == (after.name, after.stamp)
            np.testing.assert_array_equal(before.image, after.image)


def test_open_bag_first_frames_of_several_sizes_are_kept(tmp_path):
    clip = [Frame(name, stamp, np.zeros((10, 20 * stamp, 3), np.uint8)) for stamp, name in enumerate("abc", start=1)]
    writer.record(clip, tmp_path / "bag")
    frames = open_bag(tmp_path / "bag", frames=2).frames()
    assert [(frame.name, frame.image.shape) for frame in frames] == [("a", (10, 20, 3)), ("b", (10, 40, 3))]


@pytest.mark.parametrize(
    ("stamps", "log_times", "expected"),
    [
        ([1, 2, 3], [10, 11, 12], [1, 2, 3]),
        ([5, 5, 5], [10, 11, 12], [10, 11, 12]),  # they stand still
        ([3, 2, 1], [10, 11, 12], [10, 11, 12]),
        ([-3, -2, -1], [10, 11, 12], [10, 11, 12]),  # before 1970: not representable in a header
        ([0, 1, 10 * DAY], [10, 11, 12], [10, 11, 12]),  # a camera that set its clock
        ([0, 0, 0], [10, 10, 10], [10, 11, 12]),
        ([7], [10], [7]),
    ],
)
def test_playable_times_increase(stamps, log_times, expected):
    assert playable(stamps, log_times) == expected


def test_open_bag_negative_stamps_use_log_times(bags):
    """A camera without a clock; the header's seconds are signed."""
    entries = []
    for i in range(3):
        image = bags.image(np.zeros((9, 9, 3), np.uint8))
        image.header.stamp.sec, image.header.stamp.nanosec = -5 + i, 0
        entries.append(("/c", IMAGE, image, 100 + i))
    source = open_bag(bags.write(entries))
    assert [frame.stamp for frame in source.frames()] == [100, 101, 102] and source.rate <= 1000


def test_open_bag_recorded_over_days_needs_a_rate(bags):
    image = bags.image(np.zeros((9, 9, 3), np.uint8))
    path = bags.write([("/c", IMAGE, image, 0), ("/c", IMAGE, image, 2 * DAY)])
    with pytest.raises(InputError, match=r"2 frames in 48 hours; choose a rate"):
        open_bag(path)
    assert len(list(open_bag(path, rate=5).frames())) == 2


def test_open_bag_recorded_in_2500_is_refused(bags):
    path = bags.write([("/c", IMAGE, bags.image(np.zeros((9, 9, 3), np.uint8)), 365 * 530 * DAY)] * 2)
    with pytest.raises(InputError, match="before 1970 or after 2038"):
        open_bag(path)


def test_open_bag_unusable_messages_are_among_the_frames(bags):
    small, wrong = bags.image(np.zeros((1, 1, 3), np.uint8)), bags.image(np.zeros((9, 9, 3), np.uint8))
    wrong.encoding = "no such"
    good = bags.image(np.zeros((9, 9, 3), np.uint8))
    path = bags.write([("/c", IMAGE, message, i) for i, message in enumerate([good, wrong, small, good])])
    frames = list(open_bag(path).frames())
    assert [frame.name for frame in frames] == ["000000", "000001", "000002", "000003"]
    assert [isinstance(frame, Unusable) for frame in frames] == [False, True, True, False]
    assert "no such" in frames[1].reason and frames[2].reason == "image: 1x1 is too small, each side needs at least 2 pixels"


def test_open_bag_no_usable_message_is_refused(bags):
    path = bags.write([("/c", IMAGE, bags.image(np.zeros((1, 1, 3), np.uint8)), i) for i in range(3)])
    with pytest.raises(InputError, match="none of its 3 frames can be used; the first: 000000: .*too small"):
        list(open_bag(path).frames())


def test_open_bag_damaged_recording_is_played_as_far_as_it_is_whole(bags):
    """Unreadable messages, whose stamps are not known, do not disturb the stamps of the others."""
    frames = bags.frames(4000)
    late = 5_000_000_000  # ns by which the recorder is late
    entries = [("/c", IMAGE, bags.image(frame.image, frame.stamp), frame.stamp + late) for frame in frames]
    storage = bags.write(entries) / "bag.mcap"
    data = bytearray(storage.read_bytes())
    data[len(data) // 2] ^= 1
    storage.write_bytes(data)
    (bags.folder / "bag/bag_1.mcap").write_bytes(b"")
    source = open_bag(storage.parent, rate=10)
    read = list(source.frames())
    assert source.count == len(read) == 4000 and [finding.lost for finding in source.findings] == [True]
    used = [(int(frame.name), frame.stamp) for frame in read if isinstance(frame, Frame)]
    assert 2000 < len(used) < 4000 and all(stamp == frames[index].stamp for index, stamp in used)
    assert all("a chunk does not have its checksum" in frame.reason for frame in read if isinstance(frame, Unusable))
