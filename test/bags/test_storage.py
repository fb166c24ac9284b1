# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The files of a recording, in every form and compression that rosbag2 writes."""

import itertools

import numpy as np
import pytest
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from fcis_ros.bags.mcap_integrity import MAGIC
from fcis_ros.bags.reader import open_recording
from fcis_ros.bags.storage import open_storage, storage_files
from fcis_ros.errors import InputError
from fcis_ros.messages.typestore import IMAGE


@pytest.mark.parametrize(
    ("plugin", "mode"),
    [*itertools.product(StoragePlugin, list(CompressionMode)[:3]), (StoragePlugin.MCAP, CompressionMode.STORAGE)],
)
@pytest.mark.parametrize("form", ["folder", "without metadata", "file"])
def test_open_storage_every_form_and_compression_gives_the_frames(bags, plugin, mode, form):
    path = bags.camera(5, plugin=plugin, compression=mode)
    if form == "without metadata":
        (path / "metadata.yaml").unlink()
    elif form == "file":
        path = next(file for file in path.iterdir() if file.name != "metadata.yaml")
    recording = open_recording(path)
    assert (recording.topic, recording.count) == ("/cam/image", 5)
    for index, (frame, record) in enumerate(zip(bags.frames(5), recording.frames(), strict=True)):
        assert (record.name, record.index, record.stamp, record.log_time) == (f"{index:06d}", index, frame.stamp, frame.stamp)
        np.testing.assert_array_equal(record.image(), frame.image)


def test_storage_files_without_metadata_are_in_natural_order(tmp_path):
    for name in ("split_10.mcap", "split_9.mcap.zstd", "notes.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in storage_files(tmp_path)] == ["split_9.mcap.zstd", "split_10.mcap"]


@pytest.mark.parametrize("content", ["", "a: [", "{}", "{}: 3", "&a [*a]", "{}: {{relative_file_paths: [gone.mcap]}}"])
def test_storage_files_damaged_metadata_is_refused(tmp_path, content):
    (tmp_path / "metadata.yaml").write_text(content.format("rosbag2_bagfile_information"))
    with pytest.raises(InputError, match="not a readable rosbag2 folder") as error:
        storage_files(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [("a.mcap", "a.mcap: no such recording"), ("a", "a: no such recording"), ("", "no metadata.yaml and no .mcap or .db3")],
)
def test_storage_files_other_path_is_refused(tmp_path, name, says):
    with pytest.raises(InputError, match=says):
        storage_files(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.mcap", b"", "a.mcap: not an MCAP file"),
        ("a.mcap", b"nonsense" * 100, "a.mcap: not an MCAP file"),
        ("a.db3", b"nonsense" * 100, "a.db3: not a readable rosbag2 folder or file"),
        ("a.mcap.zstd", b"nonsense", "a.mcap.zstd: damaged"),
        ("a.txt", b"", r"a.txt: .*its suffix is not .mcap or .db3"),
    ],
)
def test_open_storage_other_file_is_refused(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        open_storage(tmp_path / name)
    (tmp_path / "b.mcap").write_bytes(MAGIC)
    assert "b.mcap: cut off after 8 bytes" in open_storage(tmp_path / "b.mcap").damage


@pytest.mark.parametrize("plugin", StoragePlugin)
def test_messages_unordered_come_by_log_time(bags, plugin):
    """Those with equal times come as they were written."""
    entries = [("/c", IMAGE, bags.image(np.zeros((9, 9, 3), np.uint8), i), time) for i, time in enumerate([5, 3, 9, 3, 1, 7])]
    records = list(open_recording(bags.write(entries, plugin=plugin)).frames())
    assert [(record.log_time, record.stamp) for record in records] == [(1, 4), (3, 1), (3, 3), (5, 0), (7, 5), (9, 2)]
