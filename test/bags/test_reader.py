# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recordings of other tools are read, or refused with one line that says what and where."""

import itertools
import shutil
import time

import mcap.writer
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from fcis_ros.bags import mcap_integrity as mcap_format
from fcis_ros.bags.reader import BagFrame, open_recording
from fcis_ros.bags.storage import zstd
from fcis_ros.errors import InputError
from fcis_ros.messages import typestore
from fcis_ros.messages.typestore import COMPRESSED, IMAGE, STRING

FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
RED = np.full((16, 24, 3), (0, 0, 255), np.uint8)  # as OpenCV has it


def refused(path, says, topic=None):
    with pytest.raises(InputError, match=says) as error:
        for record in open_recording(path, topic).records():
            record.image()
    assert "\n" not in str(error.value)


def test_records(bags):
    recording = open_recording(bags.camera(3))
    assert (recording.topic, recording.count) == ("/cam/image", 3)
    frames, records = bags.frames(3), list(recording.records())
    assert [record.name for record in records] == ["000000", "000001", "000002"]
    for index, (frame, record) in enumerate(zip(frames, records, strict=True)):
        assert (record.topic, record.index, record.stamp, record.log_time) == ("/cam/image", index, frame.stamp, frame.stamp)
        np.testing.assert_array_equal(record.image(), frame.image)


@pytest.mark.parametrize("plugin", list(StoragePlugin))
@pytest.mark.parametrize("form", ["folder", "without metadata", "file"])
def test_every_form_of_a_recording(bags, plugin, form):
    path = bags.camera(3, plugin=plugin)
    if form == "without metadata":
        (path / "metadata.yaml").unlink()
    elif form == "file":
        path = next(file for file in path.iterdir() if file.suffix in (".mcap", ".db3"))
    assert [record.index for record in open_recording(path).records()] == [0, 1, 2]


def test_split_recording_without_metadata_in_order(bags, tmp_path):
    folder = tmp_path / "split"
    folder.mkdir()
    for part in (10, 9):
        storage = bags.camera(2, name=f"part{part}") / f"part{part}.mcap"
        shutil.copy(storage, folder / f"split_{part}.mcap")
    recording = open_recording(folder)
    assert [own.shown.name for own in recording.storages] == ["split_9.mcap", "split_10.mcap"] and recording.count == 4
    assert len(list(recording.records())) == 4


@pytest.mark.parametrize(
    ("kind", "format_"), [("jpg", "jpeg"), ("png", "png"), ("jpg", "rgb8; jpeg compressed bgr8"), ("jpg", ""), ("png", "jpeg")]
)
def test_compressed_images(bags, kind, format_):
    """What the data are counts, not what the format says."""
    message = bags.compressed(bags.encoded(RED, kind), format_, stamp=77)
    (record,) = open_recording(bags.write([("/cam/image/compressed", COMPRESSED, message, 5)])).records()
    assert (record.stamp, record.log_time, record.kind) == (77, 5, COMPRESSED)
    assert np.abs(record.image().astype(int) - (255, 0, 0)).max() <= 3 and record.image().shape == (16, 24, 3)


def test_compressed_sixteen_bits(bags):
    deep = np.full((16, 24), 0x8000, np.uint16)
    message = bags.compressed(bags.encoded(deep, "png"), "mono16; png compressed")
    (record,) = open_recording(bags.write([("/c", COMPRESSED, message, 5)])).records()
    assert (record.image() == 128).all()


def test_one_bad_message_is_a_matter_of_that_message(bags):
    good = bags.image(np.zeros((9, 9, 3), np.uint8))
    strange = bags.image(np.zeros((9, 9, 3), np.uint8))
    strange.encoding = "strange"
    cut = bytes(typestore.message_types().serialize_cdr(good, IMAGE))[:-50]
    entries = [("/c", IMAGE, message, i) for i, message in enumerate([good, strange, cut, b"\0\1\0\0", b"", good])]
    records = list(open_recording(bags.write(entries)).records())
    assert len(records) == 6
    for index, says in ((1, "strange"), (2, "damaged"), (3, "damaged"), (4, "damaged")):
        with pytest.raises(InputError, match=f"frame 00000{index} of /c: .*{says}") as error:
            records[index].image()
        assert "\n" not in str(error.value)
    assert (records[5].image() == 0).all() and records[3].stamp == records[3].log_time == 3


def test_no_images(bags):
    path = bags.write([("/chatter", STRING, bags.text("hello"), 1)])
    refused(path, r"no topic with sensor_msgs/msg/Image or .*; its topics: /chatter \(std_msgs/msg/String, 1 messages\)")


def test_empty(bags):
    assert (bags.camera(0) / "metadata.yaml").is_file()
    refused(bags.folder / "bag", "no topic with .*; its topics: none")


def test_topic_without_messages(bags, tmp_path):
    from rosbags.rosbag2 import Writer

    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.add_connection("/cam/image", IMAGE, typestore=typestore.message_types())
    refused(tmp_path / "bag", r"bag: no messages on /cam/image$")


def test_several_cameras_need_a_choice(bags):
    image = bags.image(np.zeros((9, 9, 3), np.uint8))
    path = bags.write([("/left", IMAGE, image, 1), ("/right", IMAGE, image, 2), ("/right", IMAGE, image, 3)])
    refused(path, r"several topics with images, choose one \(--topic\): /left \(.*, 1 messages\), /right \(.*, 2 messages\)")
    refused(path, "no images on topic /up; topics with images: /left .*, /right", topic="/up")
    assert len(list(open_recording(path, "/right").records())) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "not an MCAP file"), (b"nonsense" * 100, "not an MCAP file"), (mcap_format.MAGIC, "cut off after 8")],
)
def test_not_an_mcap_file(bags, content, says):
    path = bags.camera()
    (path / "bag.mcap").write_bytes(content)
    refused(path, f"bag.mcap: {says}")


@pytest.mark.parametrize("content", ["", "a: [", "rosbag2_bagfile_information: 3", "&a [*a]"])
def test_damaged_metadata(bags, content):
    path = bags.camera()
    (path / "metadata.yaml").write_text(content)
    refused(path, "bag: not a readable rosbag2 folder")


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "bag"])
def test_not_there(tmp_path, name):
    refused(tmp_path / name, name)


def test_folder_of_something_else(tmp_path):
    refused(tmp_path, "no metadata.yaml and no .mcap or .db3 file")


def test_flipped_byte_is_found_by_the_checksum_and_named(bags):
    storage = bags.camera(200) / "bag.mcap"
    whole = bytearray(storage.read_bytes())
    whole[len(whole) // 3] ^= 1  # a pixel
    storage.write_bytes(whole)
    refused(storage.parent, r"bag.mcap: damaged at byte \d+: a chunk does not have its checksum")


def test_names_go_with_the_images(bags):
    image = bags.image(np.zeros((9, 9, 3), np.uint8))
    entries = [("/frame_names", STRING, bags.text("a.png"), 5), ("/c", IMAGE, image, 5), ("/c", IMAGE, image, 6)]
    entries += [("/frame_names", STRING, bags.text("bad\nname"), 7), ("/c", IMAGE, image, 7)]
    assert [record.name for record in open_recording(bags.write(entries)).records()] == ["a.png", "000001", "000002"]


def read_all(path):
    """Everything or an InputError, and quickly."""
    start = time.monotonic()
    try:
        for record in open_recording(path).records():
            try:
                assert record.image().shape[2] == 3
            except InputError as error:
                assert "\n" not in str(error)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
    assert time.monotonic() - start < 30  # a hang, on whatever machine


def mutated(data, whole: bytes) -> bytes:
    raw = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # lengths and counts are eight bytes
        place = data.draw(st.integers(0, len(raw) - 8))
        raw[place : place + 8] = data.draw(st.sampled_from([b"\xff" * 8, b"\0" * 8, (2**40).to_bytes(8, "little")]))
    return bytes(raw[: data.draw(st.integers(0, len(raw)) | st.just(len(raw)))])


@pytest.mark.parametrize("plugin", list(StoragePlugin))
@pytest.mark.parametrize("sums", [True, False])
def test_any_damage_to_a_file(bags, plugin, sums):
    storage = next(file for file in bags.camera(3, plugin=plugin, sums=sums).iterdir() if file.suffix in (".mcap", ".db3"))
    whole = storage.read_bytes()

    @FUZZ
    @given(st.data())
    def check(data):
        storage.write_bytes(mutated(data, whole))
        read_all(storage.parent)
        read_all(storage)

    check()


def test_any_damage_to_the_metadata(bags):
    path = bags.camera(3)
    whole = (path / "metadata.yaml").read_bytes()

    @FUZZ
    @given(st.data())
    def check(data):
        (path / "metadata.yaml").write_bytes(mutated(data, whole))
        read_all(path)

    check()


@pytest.mark.parametrize("kind", ["raw", "jpg", "png"])
def test_any_damage_to_a_message(bags, kind):
    topic_type = IMAGE if kind == "raw" else COMPRESSED
    message = bags.image(RED) if kind == "raw" else bags.compressed(bags.encoded(RED, kind), "x")
    whole = bytes(typestore.message_types().serialize_cdr(message, topic_type))

    @FUZZ
    @given(st.data())
    def check(data):
        try:
            assert BagFrame("/c", 0, "000000", 0, 0, topic_type, mutated(data, whole)).image().shape[2] == 3
        except InputError as error:
            assert "\n" not in str(error)

    check()


@pytest.mark.parametrize(
    ("plugin", "mode"),
    [*itertools.product(StoragePlugin, list(CompressionMode)[:3]), (StoragePlugin.MCAP, CompressionMode.STORAGE)],
)
@pytest.mark.parametrize("form", ["folder", "without metadata", "file"])
def test_compressed_recordings(bags, plugin, mode, form):
    path = bags.camera(5, plugin=plugin, compression=mode)
    if form == "without metadata":
        (path / "metadata.yaml").unlink()
    elif form == "file":
        path = next(file for file in path.iterdir() if file.name != "metadata.yaml")
    recording = open_recording(path)
    assert recording.count == 5
    for frame, record in zip(bags.frames(5), recording.records(), strict=True):
        np.testing.assert_array_equal(record.image(), frame.image)


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_record_of_a_damaged_compressed_message_is_refused(bags, damage):
    packed = zstd.compress(bytes(typestore.message_types().serialize_cdr(bags.image(RED), IMAGE)))
    packed = packed[:-5] if damage == "cut off" else packed[:9] + b"\xff" * 8 + packed[17:]
    refused(bags.write([("/c", IMAGE, packed, 1)]), "damaged")


def test_any_order_of_messages(bags):
    """They are read in order of the times of recording, those with equal times as they were written."""
    times = [5, 3, 9, 3, 1, 7]
    entries = [("/c", IMAGE, bags.image(np.zeros((9, 9, 3), np.uint8), i), time) for i, time in enumerate(times)]
    for plugin in StoragePlugin:
        records = list(open_recording(bags.write(entries, plugin.name, plugin)).records())
        assert [(record.log_time, record.stamp) for record in records] == [(1, 4), (3, 1), (3, 3), (5, 0), (7, 5), (9, 2)]


@pytest.mark.parametrize("compression", ["NONE", "LZ4", "ZSTD"])
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("indexed", [True, False])
def test_files_of_the_mcap_library(tmp_path, bags, compression, chunked, indexed):
    frames = bags.frames(6)
    with (tmp_path / "other.mcap").open("wb") as file:
        writer = mcap.writer.Writer(
            file, chunk_size=1500, compression=mcap.writer.CompressionType[compression], use_chunking=chunked,
            index_types=mcap.writer.IndexType.ALL if indexed else mcap.writer.IndexType.NONE, repeat_channels=indexed,
            use_statistics=indexed, use_summary_offsets=indexed,
        )  # fmt: skip
        writer.start("ros2")
        schema = writer.register_schema(IMAGE, "ros2msg", b"")
        channel = writer.register_channel("/cam", "cdr", schema)
        for frame in frames[::-1]:
            raw = bytes(typestore.message_types().serialize_cdr(bags.image(frame.image, frame.stamp), IMAGE))
            writer.add_message(channel, frame.stamp, raw, frame.stamp)
        writer.finish()
    recording = open_recording(tmp_path / "other.mcap")
    assert (recording.topic, recording.count) == ("/cam", 6)
    for frame, record in zip(frames, recording.records(), strict=True):
        np.testing.assert_array_equal(record.image(), frame.image)


@pytest.mark.parametrize("metadata", [True, False])
def test_cut_off_file_is_read_as_far_as_it_goes(bags, metadata):
    """As a recorder leaves it that was killed; chunks are of a megabyte."""
    folder = bags.camera(6000)
    storage = folder / "bag.mcap"
    data = storage.read_bytes()
    assert len(data) > 3e6
    storage.write_bytes(data[: len(data) * 3 // 4])
    if not metadata:
        (folder / "metadata.yaml").unlink()
    recording = open_recording(folder)
    read = []
    with pytest.raises(InputError, match=r"bag.mcap: cut off at byte \d+, in the record that begins at byte \d+"):
        for record in recording.records():
            read.append(record.index)
    assert read == list(range(recording.count)) and 1000 < len(read) < 6000


def test_what_comes_before_a_flipped_byte_is_read(bags):
    storage = bags.camera(4000) / "bag.mcap"
    whole = bytearray(storage.read_bytes())
    whole[len(whole) * 2 // 3] ^= 1
    storage.write_bytes(whole)
    read = 0
    with pytest.raises(InputError, match=r"damaged at byte \d+: a chunk does not have its checksum"):
        for _ in open_recording(storage).records():
            read += 1
    assert 1000 < read < 4000
