# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recordings of other tools are read, or refused with one line that names the problem and its position."""

import itertools
import shutil
import time

import mcap.writer
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer

from fcis_ros.bags.mcap_integrity import MAGIC
from fcis_ros.bags.reader import BagFrame, open_recording
from fcis_ros.bags.storage import zstd
from fcis_ros.errors import InputError
from fcis_ros.messages import typestore
from fcis_ros.messages.typestore import COMPRESSED, IMAGE, STRING

FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
RED = np.full((16, 24, 3), (0, 0, 255), np.uint8)  # BGR
BLACK = np.zeros((9, 9, 3), np.uint8)


def assert_refused(path, message, topic=None):
    with pytest.raises(InputError, match=message) as error:
        for record in open_recording(path, topic).frames():
            record.image()
    assert "\n" not in str(error.value)


def test_records_camera_give_frames_in_order(bags):
    recording = open_recording(bags.camera(3))
    assert (recording.topic, recording.count) == ("/cam/image", 3)
    frames, records = bags.frames(3), list(recording.frames())
    assert [record.name for record in records] == ["000000", "000001", "000002"]
    for index, (frame, record) in enumerate(zip(frames, records, strict=True)):
        assert (record.topic, record.index, record.stamp, record.log_time) == ("/cam/image", index, frame.stamp, frame.stamp)
        np.testing.assert_array_equal(record.image(), frame.image)


def test_records_split_recording_without_metadata_are_in_order(bags, tmp_path):
    folder = tmp_path / "split"
    folder.mkdir()
    for part in (10, 9):
        storage = bags.camera(2, name=f"part{part}") / f"part{part}.mcap"
        shutil.copy(storage, folder / f"split_{part}.mcap")
    recording = open_recording(folder)
    assert [storage.shown.name for storage in recording.storages] == ["split_9.mcap", "split_10.mcap"] and recording.count == 4
    assert len(list(recording.frames())) == 4


@pytest.mark.parametrize(
    ("kind", "format_"), [("jpg", "jpeg"), ("png", "png"), ("jpg", "rgb8; jpeg compressed bgr8"), ("jpg", ""), ("png", "jpeg")]
)
def test_image_compressed_is_decoded_by_its_data(bags, kind, format_):
    """The data decide, not the format's text."""
    message = bags.compressed(bags.encoded(RED, kind), format_, stamp=77)
    (record,) = open_recording(bags.write([("/cam/image/compressed", COMPRESSED, message, 5)])).frames()
    assert (record.stamp, record.log_time, record.kind) == (77, 5, COMPRESSED)
    assert np.abs(record.image().astype(int) - (255, 0, 0)).max() <= 3 and record.image().shape == (16, 24, 3)


def test_image_compressed_sixteen_bits_is_scaled(bags):
    deep = np.full((16, 24), 0x8000, np.uint16)
    message = bags.compressed(bags.encoded(deep, "png"), "mono16; png compressed")
    (record,) = open_recording(bags.write([("/c", COMPRESSED, message, 5)])).frames()
    assert (record.image() == 128).all()


def test_image_damaged_message_leaves_the_others_readable(bags):
    good, strange = bags.image(BLACK), bags.image(BLACK)
    strange.encoding = "strange"
    cut = bytes(typestore.message_types().serialize_cdr(good, IMAGE))[:-50]
    entries = [("/c", IMAGE, message, i) for i, message in enumerate([good, strange, cut, b"\0\1\0\0", b"", good])]
    records = list(open_recording(bags.write(entries)).frames())
    assert len(records) == 6
    for index, problem in ((1, "strange"), (2, "damaged"), (3, "damaged"), (4, "damaged")):
        with pytest.raises(InputError, match=f"frame 00000{index} of /c: .*{problem}") as error:
            records[index].image()
        assert "\n" not in str(error.value)
    assert (records[5].image() == 0).all() and records[3].stamp == records[3].log_time == 3


def test_open_recording_no_images_lists_the_topics(bags):
    path = bags.write([("/chatter", STRING, bags.text("hello"), 1)])
    assert_refused(path, r"no topic with sensor_msgs/msg/Image or .*; its topics: /chatter \(std_msgs/msg/String, 1 messages\)")


def test_open_recording_empty_is_refused(bags):
    assert_refused(bags.camera(0), "no topic with .*; its topics: none")


def test_open_recording_topic_without_messages_is_refused(tmp_path):
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.add_connection("/cam/image", IMAGE, typestore=typestore.message_types())
    assert_refused(tmp_path / "bag", r"bag: no messages on /cam/image$")


def test_open_recording_several_cameras_need_a_topic(bags):
    image = bags.image(BLACK)
    path = bags.write([("/left", IMAGE, image, 1), ("/right", IMAGE, image, 2), ("/right", IMAGE, image, 3)])
    listed = r"/left \(.*, 1 messages\), /right \(.*, 2 messages\)"
    assert_refused(path, rf"several topics with images, choose one \(--topic\): {listed}")
    assert_refused(path, "no images on topic /up; topics with images: /left .*, /right", topic="/up")
    assert len(list(open_recording(path, "/right").frames())) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "not an MCAP file"), (b"nonsense" * 100, "not an MCAP file"), (MAGIC, "cut off after 8")],
)
def test_open_recording_not_mcap_is_refused(bags, content, problem):
    path = bags.camera()
    (path / "bag.mcap").write_bytes(content)
    assert_refused(path, f"bag.mcap: {problem}")


@pytest.mark.parametrize("content", ["", "a: [", "rosbag2_bagfile_information: 3", "&a [*a]"])
def test_open_recording_damaged_metadata_is_refused(bags, content):
    path = bags.camera()
    (path / "metadata.yaml").write_text(content)
    assert_refused(path, "bag: not a readable rosbag2 folder")


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "bag"])
def test_open_recording_missing_path_is_refused(tmp_path, name):
    assert_refused(tmp_path / name, f"{name}: no such recording")


def test_open_recording_other_folder_is_refused(tmp_path):
    assert_refused(tmp_path, "no metadata.yaml and no .mcap or .db3 file")


def test_records_names_go_with_the_images(bags):
    image = bags.image(BLACK)
    entries = [("/frame_names", STRING, bags.text("a.png"), 5), ("/c", IMAGE, image, 5), ("/c", IMAGE, image, 6)]
    entries += [("/frame_names", STRING, bags.text("bad\nname"), 7), ("/c", IMAGE, image, 7)]
    assert [record.name for record in open_recording(bags.write(entries)).frames()] == ["a.png", "000001", "000002"]


def read_all(path):
    """Reads everything, or fails with an InputError, and quickly."""
    start = time.monotonic()
    try:
        for record in open_recording(path).frames():
            try:
                assert record.image().shape[2] == 3
            except InputError as error:
                assert "\n" not in str(error)
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
    assert time.monotonic() - start < 30  # a hang, on any machine


def mutated(data, whole: bytes) -> bytes:
    raw = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 6))):
        offset = data.draw(st.integers(0, len(raw) - 1))
        raw[offset] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # lengths and counts are eight bytes
        offset = data.draw(st.integers(0, len(raw) - 8))
        raw[offset : offset + 8] = data.draw(st.sampled_from([b"\xff" * 8, b"\0" * 8, (2**40).to_bytes(8, "little")]))
    return bytes(raw[: data.draw(st.integers(0, len(raw)) | st.just(len(raw)))])


@pytest.mark.parametrize("plugin", list(StoragePlugin))
@pytest.mark.parametrize("sums", [True, False])
def test_records_any_damage_to_a_file_gives_one_line(bags, plugin, sums):
    storage = next(file for file in bags.camera(3, plugin=plugin, sums=sums).iterdir() if file.suffix in (".mcap", ".db3"))
    whole = storage.read_bytes()

    @FUZZ
    @given(st.data())
    def check(data):
        storage.write_bytes(mutated(data, whole))
        read_all(storage.parent)
        read_all(storage)

    check()


def test_records_any_damage_to_the_metadata_gives_one_line(bags):
    path = bags.camera(3)
    whole = (path / "metadata.yaml").read_bytes()

    @FUZZ
    @given(st.data())
    def check(data):
        (path / "metadata.yaml").write_bytes(mutated(data, whole))
        read_all(path)

    check()


@pytest.mark.parametrize("kind", ["raw", "jpg", "png"])
def test_image_any_damage_to_a_message_gives_one_line(bags, kind):
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
def test_records_every_form_and_compression_equal_the_frames(bags, plugin, mode, form):
    path = bags.camera(5, plugin=plugin, compression=mode)
    if form == "without metadata":
        (path / "metadata.yaml").unlink()
    elif form == "file":
        path = next(file for file in path.iterdir() if file.name != "metadata.yaml")
    recording = open_recording(path)
    assert recording.count == 5
    for frame, record in zip(bags.frames(5), recording.frames(), strict=True):
        np.testing.assert_array_equal(record.image(), frame.image)


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_records_damaged_compressed_message_is_refused(bags, damage):
    packed = zstd.compress(bytes(typestore.message_types().serialize_cdr(bags.image(RED), IMAGE)))
    packed = packed[:-5] if damage == "cut off" else packed[:9] + b"\xff" * 8 + packed[17:]
    assert_refused(bags.write([("/c", IMAGE, packed, 1)]), "damaged")


def test_records_unordered_messages_come_by_log_time(bags):
    """Those with equal times come as they were written."""
    times = [5, 3, 9, 3, 1, 7]
    entries = [("/c", IMAGE, bags.image(BLACK, i), time) for i, time in enumerate(times)]
    for plugin in StoragePlugin:
        records = list(open_recording(bags.write(entries, plugin.name, plugin)).frames())
        assert [(record.log_time, record.stamp) for record in records] == [(1, 4), (3, 1), (3, 3), (5, 0), (7, 5), (9, 2)]


@pytest.mark.parametrize("compression", ["NONE", "LZ4", "ZSTD"])
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("indexed", [True, False])
def test_records_file_of_the_mcap_library_equal_the_frames(tmp_path, bags, compression, chunked, indexed):
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
    for frame, record in zip(frames, recording.frames(), strict=True):
        np.testing.assert_array_equal(record.image(), frame.image)


@pytest.mark.parametrize("metadata", [True, False])
def test_records_file_cut_off_are_read_up_to_the_end(bags, metadata):
    """A killed recorder leaves such a file; chunks are of a megabyte."""
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
        for record in recording.frames():
            read.append(record.index)
    assert read == list(range(recording.count)) and 1000 < len(read) < 6000


def test_records_flipped_byte_are_read_up_to_its_chunk(bags):
    storage = bags.camera(4000) / "bag.mcap"
    whole = bytearray(storage.read_bytes())
    whole[len(whole) * 2 // 3] ^= 1
    storage.write_bytes(whole)
    read = 0
    with pytest.raises(InputError, match=r"bag.mcap: damaged at byte \d+: a chunk does not have its checksum"):
        for _ in open_recording(storage).frames():
            read += 1
    assert 1000 < read < 4000
