# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recordings of other tools are read, or refused with one line that names the problem and its position."""

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin, Writer

from fcis_ros.bags.mcap_reader import McapReader
from fcis_ros.bags.packed_files import zstd
from fcis_ros.bags.reader import BagFrame, open_recording
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


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([("/chatter", STRING, 1)], r"no topic with sensor_msgs/msg/Image .*; its topics: /chatter \(.*String, 1 messages\)"),
        ([], "no topic with .*; its topics: none"),
        ([("/cam/image", IMAGE, 0)], "bag: no messages on /cam/image$"),
    ],
)
def test_open_recording_without_images_lists_the_topics(tmp_path, entries, says):
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, kind, count in entries:
            connection = writer.add_connection(topic, kind, typestore=typestore.message_types())
            for _ in range(count):
                writer.write(connection, 1, b"")
    assert_refused(tmp_path / "bag", says)


def test_open_recording_several_cameras_need_a_topic(bags):
    image = bags.image(BLACK)
    path = bags.write([("/left", IMAGE, image, 1), ("/right", IMAGE, image, 2), ("/right", IMAGE, image, 3)])
    listed = r"/left \(.*, 1 messages\), /right \(.*, 2 messages\)"
    assert_refused(path, rf"several topics with images, choose one \(--topic\): {listed}")
    assert_refused(path, "no images on topic /up; topics with images: /left .*, /right", topic="/up")
    assert len(list(open_recording(path, "/right").frames())) == 2


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


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_image_damaged_compressed_message_leaves_the_others_readable(bags, damage):
    whole = zstd.compress(bytes(typestore.message_types().serialize_cdr(bags.image(RED), IMAGE)))
    packed = whole[:-5] if damage == "cut off" else whole[:9] + b"\xff" * 8 + whole[17:]
    records = list(open_recording(bags.write([("/c", IMAGE, raw, i) for i, raw in enumerate([whole, packed, whole])])).frames())
    assert [record.image().shape for record in (records[0], records[2])] == [RED.shape] * 2
    with pytest.raises(InputError, match=r"^frame 000001 of /c: bag.mcap: a compressed message is damaged"):
        records[1].image()


def test_messages_any_error_of_a_storage_names_the_file(bags, monkeypatch):
    bag = bags.write([("/cam", IMAGE, bags.image(np.zeros((90, 120, 3), np.uint8)), bags.START)])
    recording = open_recording(bag)

    def messages(reader, path, kinds, since):
        raise KeyError("chunk")

    monkeypatch.setattr(McapReader, "messages", messages)
    with pytest.raises(InputError, match=r"bag.mcap: damaged \('chunk'\)"):
        next(recording.frames())
