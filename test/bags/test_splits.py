# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every file of a recording is read once, in every form and compression that rosbag2 writes; what is lost is named."""

import itertools
import shutil
import tempfile

import mcap.writer
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from ruamel.yaml import YAML

from fcis_ros.bags.bag_folder import BagFile
from fcis_ros.bags.packed_files import zstd
from fcis_ros.bags.reader import open_recording
from fcis_ros.bags.splits import Split
from fcis_ros.errors import InputError
from fcis_ros.messages.typestore import IMAGE, STRING

FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
SUFFIXES = {StoragePlugin.MCAP: ".mcap", StoragePlugin.SQLITE3: ".db3"}
FRAMES = 4  # of each split


def write_splits(bags, count=3, plugin=StoragePlugin.MCAP, metadata=True, packed=False):
    """A recording of several files of ``FRAMES`` frames each, whose pixels count them."""
    folder = bags.folder / "drive"
    folder.mkdir()
    files = []
    for number in range(count):
        stamps = [bags.START + 1000 * (FRAMES * number + i) for i in range(FRAMES)]
        pixels = [np.full((12, 18, 3), FRAMES * number + i, np.uint8) for i in range(FRAMES)]
        entries = [("/cam", IMAGE, bags.image(*each), each[1]) for each in zip(pixels, stamps, strict=True)]
        written = bags.write(entries, name=f"part{number}", plugin=plugin)
        name = f"drive_{number}{SUFFIXES[plugin]}"
        content = next(file for file in written.iterdir() if file.name != "metadata.yaml").read_bytes()
        name += ".zstd" * packed
        (folder / name).write_bytes(zstd.compress(content) if packed else content)
        files.append({"path": name, "message_count": FRAMES})
        shutil.rmtree(written)
    if metadata:
        about = {"relative_file_paths": [file["path"] for file in files], "files": files, "message_count": count * FRAMES}
        YAML(typ="safe").dump({"rosbag2_bagfile_information": about}, folder / "metadata.yaml")
    return folder


def read(path):
    """The numbers of the frames that can be used."""
    return [int(frame.image()[0, 0, 0]) for frame in open_recording(path).frames() if frame.problem is None]


def lost(path):
    """{file: text} of what is lost."""
    return {finding.source: finding.text for finding in open_recording(path).findings if finding.lost}


def remarks(path):
    return {finding.source: finding.text for finding in open_recording(path).findings if not finding.lost}


@pytest.mark.parametrize(
    ("plugin", "mode"),
    [*itertools.product(StoragePlugin, list(CompressionMode)[:3]), (StoragePlugin.MCAP, CompressionMode.STORAGE)],
)
@pytest.mark.parametrize("form", ["folder", "without metadata", "file", "upper case", "zst"])
def test_open_recording_every_form_and_compression_gives_the_frames(bags, plugin, mode, form):
    path = bags.camera(5, plugin=plugin, compression=mode)
    file = next(file for file in path.iterdir() if file.name != "metadata.yaml")
    if form == "without metadata":
        (path / "metadata.yaml").unlink()
    elif form == "file":
        path = file
    elif form == "upper case":
        path = file.rename(file.with_name(file.name.upper()))
    elif form == "zst" and file.suffix == ".zstd":
        path = file.rename(file.with_suffix(".zst"))
    recording = open_recording(path)
    assert (recording.topic, recording.count, recording.findings) == ("/cam/image", 5, ())
    for index, (frame, record) in enumerate(zip(bags.frames(5), recording.frames(), strict=True)):
        assert (record.name, record.index, record.stamp, record.log_time) == (f"{index:06d}", index, frame.stamp, frame.stamp)
        np.testing.assert_array_equal(record.image(), frame.image)


UNREADABLE = {
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "other": lambda data: b"nonsense" * 100,
    "missing": None,
}


@pytest.mark.parametrize("damage", UNREADABLE)
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("plugin", StoragePlugin)
def test_open_recording_unreadable_split_is_named_and_the_others_are_read(bags, damage, number, metadata, plugin):
    folder = write_splits(bags, plugin=plugin, metadata=metadata)
    file = folder / f"drive_{number}{SUFFIXES[plugin]}"
    if change := UNREADABLE[damage]:
        file.write_bytes(change(file.read_bytes()))
    else:
        file.unlink()
    whole = [frame for frame in range(3 * FRAMES) if frame // FRAMES != number]
    assert read(folder) == whole and open_recording(folder).count == len(whole)
    if damage == "missing" and not metadata:
        assert lost(folder) == {}
    else:
        ((source, text),) = lost(folder).items()
        assert source == f"drive/{file.name}" and text.startswith("cannot be read (")
        assert text.endswith("; it had 4 messages by metadata.yaml") == metadata


@pytest.mark.parametrize("plugin", StoragePlugin)
def test_open_recording_splits_behind_a_cut_one_are_read(bags, plugin):
    folder = write_splits(bags, plugin=plugin)
    file = folder / f"drive_1{SUFFIXES[plugin]}"
    file.write_bytes(file.read_bytes()[: -(file.stat().st_size // 3)])
    found = read(folder)
    assert found[:FRAMES] == [0, 1, 2, 3] and found[-FRAMES:] == [8, 9, 10, 11]
    assert list(lost(folder)) == [f"drive/{file.name}"]


def test_open_recording_cut_compressed_split_gives_what_it_has(bags):
    folder = write_splits(bags, packed=True)
    file = folder / "drive_1.mcap.zstd"
    file.write_bytes(file.read_bytes()[:-20])
    found = read(folder)
    assert found[:FRAMES] == [0, 1, 2, 3] and found[-FRAMES:] == [8, 9, 10, 11]
    assert list(lost(folder)) == ["drive/drive_1.mcap.zstd"]


def test_open_recording_no_readable_split_is_refused_with_the_reason(bags):
    folder = write_splits(bags)
    for file in folder.glob("*.mcap"):
        file.write_bytes(b"")
    with pytest.raises(InputError, match=r"drive_0.mcap: not a readable file of a recording \(an empty file\)"):
        open_recording(folder)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.mcap", b"", "a.mcap: not a readable file of a recording .an empty file"),
        ("a.mcap", b"nonsense" * 100, "a.mcap: .*not an MCAP file"),
        ("a.mcap.zstd", b"nonsense", "a.mcap.zstd: .*damaged: its compressed data"),
        ("a.txt", b"", "a.txt: .*its suffix is not .mcap or .db3"),
        ("a.mcap", b"\x89MCAP0\r\n", r"a.mcap: no images can be read \(a.mcap: cut off after 8 bytes"),
    ],
)
def test_open_recording_other_file_is_refused(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        open_recording(tmp_path / name)


def test_open_recording_compressed_splits_are_unpacked_one_at_a_time(bags, tmp_path, monkeypatch):
    folder = write_splits(bags, packed=True)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    recording = open_recording(folder)
    assert not list(temporary.iterdir())
    names = [sorted(file.name for file in temporary.glob("*/*")) for _ in recording.frames()]
    assert names == [[f"drive_{number}.mcap"] for number in range(3) for _ in range(FRAMES)]
    assert not list(temporary.iterdir())
    frames = recording.frames()
    next(frames)
    frames.close()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("other", ["drive_1.mcap.zstd", "drive_1.mcap.zst", "repaired.mcap", "drive_1.db3"])
@pytest.mark.parametrize("left", [None, -50, 2000])
@pytest.mark.parametrize("metadata", [True, False])
def test_open_recording_copy_of_a_split_is_read_once(bags, other, left, metadata):
    """The file that holds more is read: a copy that was being made, or the copy of one that was cut off."""
    folder = write_splits(bags, metadata=metadata)
    file = folder / "drive_1.mcap"
    data = file.read_bytes()
    if other.endswith(".db3"):
        messages = Split.open(BagFile(file)).messages({"/cam": (IMAGE,)})
        entries = [("/cam", IMAGE, bytes(message.raw), message.time) for message in messages]
        copy = (bags.write(entries, name="copy", plugin=StoragePlugin.SQLITE3) / "copy.db3").read_bytes()
    else:
        copy = zstd.compress(data) if ".zst" in other else data
    (folder / other).write_bytes(copy)
    file.write_bytes(data[:left])
    assert read(folder) == list(range(12))
    if left == 2000 and other == "repaired.mcap":
        assert list(lost(folder)) == ["drive/drive_1.mcap"]  # nothing in it says what it was
        return
    assert lost(folder) == {}
    said = [source for source, text in remarks(folder).items() if text.endswith(("which is read", "is read instead"))]
    assert len(said) == 1 and said[0] in ("drive/drive_1.mcap", f"drive/{other}")[: 1 if left else 2]


def test_open_recording_files_that_overlap_in_part_are_refused(bags):
    """No rule says which messages are the right ones."""
    folder = write_splits(bags, count=2, metadata=False)
    images = [(bags.START + 1000 * i, np.full((12, 18, 3), i, np.uint8)) for i in (2, 3, 50)]
    entries = [("/cam", IMAGE, bags.image(pixels, stamp), stamp) for stamp, pixels in images]
    shutil.copy(bags.write(entries, name="mixed") / "mixed.mcap", folder / "mixed.mcap")
    with pytest.raises(InputError, match="drive: drive_0.mcap and mixed.mcap have 2 images in common, and other messages"):
        open_recording(folder)


@pytest.mark.parametrize("topic", ["/rear", "/cam"])
def test_open_recording_files_of_equal_times_with_other_images_are_all_read(bags, topic):
    """Two cameras, or two runs in simulated time."""
    folder = write_splits(bags, count=1, metadata=False)
    images = [(bags.START + 1000 * i, np.full((12, 18, 3), 100 + i, np.uint8)) for i in range(FRAMES)]
    entries = [(topic, IMAGE, bags.image(pixels, stamp), stamp) for stamp, pixels in images]
    shutil.copy(bags.write(entries, name="other") / "other.mcap", folder / "other.mcap")
    recording = open_recording(folder, topic)
    assert recording.count == (FRAMES if topic == "/rear" else 2 * FRAMES) and not recording.findings


def test_open_recording_file_that_metadata_does_not_name_is_read_and_remarked(bags):
    folder = write_splits(bags)
    content = YAML(typ="safe").load(folder / "metadata.yaml")
    content["rosbag2_bagfile_information"]["relative_file_paths"].pop()
    YAML(typ="safe").dump(content, folder / "metadata.yaml")
    assert read(folder) == list(range(12)) and lost(folder) == {}
    assert remarks(folder) == {"drive/drive_2.mcap": "not named by metadata.yaml, but read, too"}


@pytest.mark.parametrize(
    ("encoding", "kind"), [("json", IMAGE), ("ros1", "sensor_msgs/Image"), ("protobuf", "foxglove.RawImage")]
)
def test_open_recording_other_encoding_is_named(tmp_path, encoding, kind):
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = mcap.writer.Writer(file)
        writer.start()
        channel = writer.register_channel("/cam", encoding, writer.register_schema(kind, "", b""))
        writer.add_message(channel, 1, b"{}", 1)
        writer.finish()
    listed = rf"/cam \({kind}, 1 messages, encoded as {encoding}\)"
    says = f"a.mcap: no images; messages must be encoded as cdr, as ROS 2 does: {listed}$"
    for topic in (None, "/cam"):
        with pytest.raises(InputError, match=says):
            open_recording(tmp_path / "a.mcap", topic)


@pytest.mark.parametrize("plugin", StoragePlugin)
def test_messages_unordered_come_by_log_time(bags, plugin):
    """Those with equal times come as they were written."""
    entries = [("/c", IMAGE, bags.image(np.zeros((9, 9, 3), np.uint8), i), time) for i, time in enumerate([5, 3, 9, 3, 1, 7])]
    records = list(open_recording(bags.write(entries, plugin=plugin)).frames())
    assert [(record.log_time, record.stamp) for record in records] == [(1, 4), (3, 1), (3, 3), (5, 0), (7, 5), (9, 2)]


def test_open_recording_whole_file_with_fewer_messages_than_metadata_names_is_remarked(bags):
    folder = write_splits(bags)
    shutil.copy(bags.camera(3, topic="/cam", name="short") / "short.mcap", folder / "drive_2.mcap")
    assert lost(folder) == {}
    assert remarks(folder) == {"drive/drive_2.mcap": "holds 3 messages, of 4 by metadata.yaml"}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("plugin", StoragePlugin)
@pytest.mark.parametrize("metadata", [True, False])
def test_open_recording_any_damage_to_a_split_leaves_the_others(bags, packed, plugin, metadata):
    """Cut off, a changed byte, a block of zeros: the finding or the frames' problems name the file, without a traceback."""
    folder = write_splits(bags, plugin=plugin, packed=packed, metadata=metadata)
    file = sorted(folder.glob("drive_*"))[1]
    whole = file.read_bytes()

    @FUZZ
    @given(st.data())
    def check(data):
        at = data.draw(st.integers(0, len(whole) - 1))
        change = data.draw(st.sampled_from(["cut", "flip", "zeros"]))
        if change == "cut":
            damaged = whole[:at]
        elif change == "flip":
            damaged = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
        else:
            damaged = whole[:at] + bytes(min(512, len(whole) - at)) + whole[at + 512 :]
        file.write_bytes(damaged)
        recording = open_recording(folder)
        used, problems = [], []
        for frame in recording.frames():
            try:
                used.append((frame.stamp, frame.image().tobytes()))
            except InputError as error:
                problems.append(str(error))
        assert len(used) + len(problems) == recording.count
        intact = [(bags.START + 1000 * i, bytes([i]) * (12 * 18 * 3)) for i in range(12) if i // FRAMES != 1]
        assert [frame for frame in used if frame in intact] == intact
        for line in [*problems, *map(str, recording.findings)]:
            assert "\n" not in line and (file.name in line or line.startswith("frame "))
        assert all(finding.source == f"drive/{file.name}" for finding in recording.findings)

    check()


def test_open_recording_names_without_frames_are_no_images(bags):
    path = bags.write([("/frame_names", STRING, bags.text("a"), 1)])
    with pytest.raises(InputError, match="no topic with sensor_msgs/msg/Image"):
        open_recording(path)
