"""rosbag2 folders -> frames. Pure Python (rosbags), no ROS needed."""

from collections.abc import Iterator
from pathlib import Path

from rosbags.rosbag2 import Reader, ReaderError
from rosbags.typesys import Stores, get_typestore

from fcis_ros.bags.messages import COMPRESSED, IMAGE, NAMES_TOPIC, STRING, header_stamp
from fcis_ros.data.frames import Frame, FrameSource
from fcis_ros.errors import InputError
from fcis_ros.ros import convert


def open_bag(folder: Path, rate: float | None = None, frames: int | None = None) -> FrameSource:
    """A rosbag2 folder (sqlite3 or MCAP) as a source of frames: its first image topic, raw or compressed.

    Stamps are the images' own where they increase, else the times of recording. Frames are named by the bag's
    ``/frame_names``, else numbered ``000000``, ``000001`` ...

    Raises:
        InputError: the bag is damaged, or has no images.
    """
    try:
        with Reader(folder) as reader:
            found = {connection.topic: connection for connection in reader.connections}
            images = [c for c in reader.connections if c.msgtype in (IMAGE, COMPRESSED) and c.msgcount]
    except (ReaderError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{folder}: not a readable rosbag2 folder ({_one_line(error)})") from None
    if not images:
        topics = ", ".join(f"{topic} ({connection.msgtype})" for topic, connection in sorted(found.items())) or "none"
        raise InputError(f"{folder}: no topic with {IMAGE} or {COMPRESSED}; its topics: {topics}")
    chosen = sorted(images, key=lambda connection: (connection.msgtype != IMAGE, connection.topic))[0]
    count = min(chosen.msgcount, frames or chosen.msgcount)
    stamps, names = _index(folder, chosen.topic, count)
    own_rate = (count - 1) / max((stamps[-1] - stamps[0]) / 1e9, 1e-3) if count > 1 else 5.0

    def read() -> Iterator[Frame]:
        for message, stamp, name in zip(_messages(folder, chosen.topic), stamps, names, strict=False):
            try:
                yield Frame(name, stamp, convert.to_rgb(message))
            except InputError as error:
                raise InputError(f"{folder}: frame {name} of {chosen.topic}: {error}") from None

    return FrameSource(f"bag {folder}, topic {chosen.topic}", rate or own_rate, count, read)


def _messages(folder: Path, topic: str) -> Iterator:
    store = get_typestore(Stores.ROS2_HUMBLE)
    try:
        with Reader(folder) as reader:
            for connection, _, raw in reader.messages([c for c in reader.connections if c.topic == topic]):
                yield store.deserialize_cdr(raw, connection.msgtype)
    except (ReaderError, OSError) as error:
        raise InputError(f"{folder}: damaged ({_one_line(error)})") from None


def _index(folder: Path, topic: str, count: int) -> tuple[list[int], list[str]]:
    """Stamps and names of the first ``count`` images."""
    stamps, times, named = [], [], {}
    store = get_typestore(Stores.ROS2_HUMBLE)
    try:
        with Reader(folder) as reader:
            wanted = [c for c in reader.connections if c.topic in (topic, NAMES_TOPIC)]
            for connection, time, raw in reader.messages(wanted):
                if connection.topic == topic:
                    if len(times) == count:
                        break
                    times.append(time)
                    stamps.append(header_stamp(raw))
                elif connection.msgtype == STRING:
                    named[time] = store.deserialize_cdr(raw, STRING).data
    except (ReaderError, OSError) as error:
        raise InputError(f"{folder}: damaged ({_one_line(error)})") from None
    if any(later <= earlier for earlier, later in zip(stamps, stamps[1:], strict=False)):
        stamps = times
    return stamps, [named.get(time, f"{index:06d}") for index, time in enumerate(times)]


def _one_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
