"""Clips as bags: what is recorded comes back, and foreign bags are read or refused with a reason."""

import itertools

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from fcis_ros.bags import messages, reading, writing
from fcis_ros.data.frames import Frame
from fcis_ros.errors import InputError

STORE = messages.message_types()


def frames(count, start=1_700_000_000_123_456_789, step=100_000_000):
    rng = np.random.default_rng(0)
    return [Frame(f"f{i}.png", start + i * step, rng.integers(0, 255, (12, 18, 3), dtype=np.uint8)) for i in range(count)]


def foreign(path, messages, plugin=StoragePlugin.MCAP):
    """A bag of (topic, type, message, log time)."""
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        topics = {}
        for topic, kind, message, time in messages:
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(topics[topic], time, STORE.serialize_cdr(message, kind))
    return path


def text(content):
    return STORE.types[messages.STRING](data=content)


def test_round_trip(tmp_path):
    recorded = frames(5)
    names = writing.record(recorded, tmp_path / "bag", 5)
    assert names == {frame.stamp: frame.name for frame in recorded}
    source = reading.open_bag(tmp_path / "bag")
    assert source.count == 5 and source.rate == pytest.approx(10)
    for _ in range(2):
        for before, after in itertools.zip_longest(recorded, source.frames()):
            assert (before.name, before.stamp) == (after.name, after.stamp)
            np.testing.assert_array_equal(before.image, after.image)


def test_first_frames_only(tmp_path):
    writing.record(frames(5), tmp_path / "bag")
    assert [frame.name for frame in reading.open_bag(tmp_path / "bag", frames=2).frames()] == ["f0.png", "f1.png"]


def test_frames_of_several_sizes(tmp_path):
    clip = [Frame("a", 1, np.zeros((10, 20, 3), np.uint8)), Frame("b", 2, np.zeros((20, 10, 3), np.uint8))]
    writing.record(clip, tmp_path / "bag")
    assert [frame.image.shape for frame in reading.open_bag(tmp_path / "bag").frames()] == [(10, 20, 3), (20, 10, 3)]


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_foreign_bag(tmp_path, plugin):
    """No names in it, a second topic, stamps that stand still: frames are numbered and timed by the recording."""
    standing = [writing.image_message(STORE, Frame("", 5, frame.image)) for frame in frames(3)]
    sent = [("/camera/image", messages.IMAGE, image, 10 + i) for i, image in enumerate(standing)]
    bag = foreign(tmp_path / "bag", [*sent, ("/chatter", messages.STRING, text("hello"), 11)], plugin)
    source = reading.open_bag(bag)
    assert "/camera/image" in source.description
    assert [(frame.name, frame.stamp) for frame in source.frames()] == [("000000", 10), ("000001", 11), ("000002", 12)]


def test_bag_without_images_lists_its_topics(tmp_path):
    bag = foreign(tmp_path / "bag", [("/chatter", messages.STRING, text("hello"), 1)])
    with pytest.raises(InputError, match=r"no topic with .*/chatter \(std_msgs/msg/String\)"):
        reading.open_bag(bag)


def test_damaged_bags(tmp_path):
    writing.record(frames(3), tmp_path / "bag")
    storage = next((tmp_path / "bag").glob("*.mcap"))
    whole = storage.read_bytes()
    metadata = tmp_path / "bag" / "metadata.yaml"
    for content in (b"", whole[: len(whole) // 2], b"nonsense" * 100):
        storage.write_bytes(content)
        with pytest.raises(InputError, match="bag") as error:
            list(reading.open_bag(tmp_path / "bag").frames())
        assert "\n" not in str(error.value)
    storage.write_bytes(whole)
    for content in ("", "a: [", "rosbag2_bagfile_information: 3"):
        metadata.write_text(content)
        with pytest.raises(InputError, match="bag") as error:
            reading.open_bag(tmp_path / "bag")
        assert "\n" not in str(error.value)


def test_stamp_is_read_from_the_serialized_header():
    message = writing.image_message(STORE, frames(1)[0])
    for little in (True, False):
        raw = STORE.serialize_cdr(message, messages.IMAGE, little_endian=little)
        assert messages.header_stamp(raw) == 1_700_000_000_123_456_789
