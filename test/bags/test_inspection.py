# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a recording is: by its indexes, and after reading all of it."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from fcis_ros.bags.inspection import inspect_recording
from fcis_ros.bags.writer import record
from fcis_ros.data.frame_sources import open_source
from fcis_ros.errors import InputError
from fcis_ros.evaluation.clip_ground_truth import synthetic_ground_truth
from fcis_ros.messages.typestore import COMPRESSED, IMAGE, STRING

STEP = 100_000_000  # ns


def remarks(inspection):
    return [finding.text for finding in inspection.findings if not finding.lost]


def lost(inspection):
    return [str(finding) for finding in inspection.findings if finding.lost]


def test_inspect_recording_of_one_camera_says_what_it_is(bags):
    inspection = inspect_recording(bags.camera(11), full=False)
    assert inspection.kind == "recording" and not inspection.findings
    assert inspection.facts == {
        "storage": "MCAP", "files": {"bag.mcap": "11 messages"}, "compression": None, "write-ahead logs": [],
        "start": "2023-11-14T22:13:20.123+00:00", "seconds": 1.0, "topics": {"/cam/image": f"({IMAGE}) 11"},
        "names of frames": False, "ground truth": [], "images of /cam/image": "11, 10 Hz, rgb8, 18x12",
    }  # fmt: skip
    assert inspection.uses["evaluate-bag"] == "evaluates the 11 images of /cam/image, as far as they can be decoded"
    json.dumps(asdict(inspection))


@pytest.mark.parametrize(
    ("plugin", "mode", "said"),
    [
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE, "zstd (messages)"),
        (StoragePlugin.MCAP, CompressionMode.STORAGE, "zstd (chunks)"),
        (StoragePlugin.SQLITE3, CompressionMode.FILE, "zstd (files)"),
    ],
)
def test_inspect_recording_names_storage_and_compression(bags, plugin, mode, said):
    facts = inspect_recording(bags.camera(3, plugin=plugin, compression=mode), full=True).facts
    assert facts["compression"] == said and facts["storage"] == {"MCAP": "MCAP", "SQLITE3": "SQLite"}[plugin.name]


def test_inspect_recording_of_a_clip_knows_names_and_ground_truth(tmp_path):
    record(open_source("synthetic", frames=2).frames(), tmp_path / "clip", ground_truth=synthetic_ground_truth)
    inspection = inspect_recording(tmp_path / "clip", full=True)
    assert inspection.facts["names of frames"] and inspection.facts["ground truth"] == ["/truth/masks"]
    assert inspection.uses["evaluate-bag --truth-topic"] == "measures against /truth/masks" and not inspection.findings


def test_inspect_recording_irregular_times_are_remarks(bags):
    times = [0, 1, 2, 2, 3, 4, 40, 41, 42]
    stamps = [*range(8), 3]
    image = np.zeros((9, 9, 3), np.uint8)
    entries = [
        ("/c", IMAGE, bags.image(image, stamp), bags.START + STEP * time) for time, stamp in zip(times, stamps, strict=True)
    ]
    path = bags.write(entries)
    by_index = [
        "/c: 1 images have the time of recording of the one before",
        "/c: 1 gaps of more than 5 frames; the longest has 3.6 s",
    ]
    assert remarks(inspect_recording(path, full=False)) == by_index
    assert remarks(inspect_recording(path, full=True)) == [*by_index, "/c: the stamps run backward 1 times"]


def test_inspect_recording_flipped_byte_is_found_by_reading_all(bags):
    storage = bags.camera(20) / "bag.mcap"
    data = bytearray(storage.read_bytes())
    data[9000] ^= 1
    storage.write_bytes(data)
    (found,) = [text for text in lost(inspect_recording(storage, full=True)) if "first image" not in text]
    assert found == "bag.mcap: damaged at byte 43: a chunk does not have its checksum (20 messages)"


def test_inspect_recording_unusable_first_image_is_lost(bags):
    entries = [("/c", COMPRESSED, bags.compressed(b"\0\0\0\1gh", "h264"), i) for i in range(3)]
    inspection = inspect_recording(bags.write(entries), full=False)
    (text,) = lost(inspection)
    assert text.startswith("bag/bag.mcap: the first image of /c cannot be used: ") and "h264" in text
    assert "3, 1e+09 Hz, h264, unknown size" in inspection.facts["images of /c"]
    assert "(the first cannot)" in inspection.uses["demo"]


def test_inspect_recording_several_cameras_need_a_choice_and_are_all_described(bags):
    image = bags.image(np.zeros((9, 9, 3), np.uint8))
    inspection = inspect_recording(bags.write([("/left", IMAGE, image, 1), ("/right", IMAGE, image, 2)]), full=False)
    assert not inspection.findings and {"images of /left", "images of /right"} < inspection.facts.keys()
    assert inspection.uses == {"evaluate-bag, demo": "need --topic, one of /left, /right"}


def test_inspect_recording_without_images_is_lost(bags):
    inspection = inspect_recording(bags.write([("/chatter", STRING, bags.text("a"), 1)]), full=True)
    assert (
        lost(inspection)[0].startswith("bag: no topic with sensor_msgs/msg/Image") and "/chatter" in inspection.facts["topics"]
    )


def test_inspect_recording_nothing_readable_is_refused(tmp_path):
    (tmp_path / "a.bag").write_bytes(b"#ROSBAG V2.0\n")
    with pytest.raises(InputError, match="rosbags-convert makes a recording of a ROS 1 bag"):
        inspect_recording(tmp_path / "a.bag", full=False)
