"""Clips as rosbag2 folders: recorded from frames, read back as frames. Pure Python (rosbags), no ROS needed.

A clip recorded here holds ``/image_raw`` (sensor_msgs/Image, rgb8) and ``/frame_names`` (std_msgs/String), whose n-th message
names the n-th image and carries the same log time.
"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import Reader, ReaderError, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from fcis_ros.data.frames import Frame, FrameSource
from fcis_ros.errors import InputError
from fcis_ros.images import check_image
from fcis_ros.ros import convert

IMAGE_TOPIC = "/image_raw"
NAMES_TOPIC = "/frame_names"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
STRING = "std_msgs/msg/String"
FRAME_ID = "camera"
BAG_VERSION = 9


def message_types(definitions: Path | None = None) -> Typestore:
    """The standard messages, and the ``*.msg`` files of a folder as messages of fcis_ros."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    types = {}
    for path in sorted(definitions.glob("*.msg")) if definitions else ():
        types |= get_types_from_msg(path.read_text(encoding="utf-8"), f"fcis_ros/msg/{path.stem}")
    store.register(types)
    return store


def mcap_writer(folder: Path) -> Writer:
    """A writer of a new rosbag2 folder with MCAP storage."""
    return Writer(folder, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)


def image_message(store: Typestore, frame: Frame):
    """Frame -> sensor_msgs/Image, rgb8."""
    types = store.types
    height, width = frame.image.shape[:2]
    seconds, nanoseconds = divmod(frame.stamp, 1_000_000_000)
    return types[IMAGE](
        header=types["std_msgs/msg/Header"](
            stamp=types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds), frame_id=FRAME_ID
        ),
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=np.ascontiguousarray(frame.image).reshape(-1),
    )


def record(frames: Iterable[Frame], folder: Path, expected: int | None = None) -> dict[int, str]:
    """Writes a clip.

    Args:
        frames: in order of time.
        folder: the bag to create.
        expected: how many frames will come, if known: with it, a clip for which the disk is too small is refused.

    Returns:
        {stamp: name} of the frames, in order.

    Raises:
        InputError: no frames, one that the network cannot use, stamps that do not increase, or too little room on the disk.
    """
    store = message_types()
    recorded: dict[int, str] = {}
    last = 0
    with mcap_writer(folder) as writer:
        images = writer.add_connection(IMAGE_TOPIC, IMAGE, typestore=store)
        names = writer.add_connection(NAMES_TOPIC, STRING, typestore=store)
        for frame in frames:
            _check(frame)
            if not recorded:
                _require_room(folder, frame.image.nbytes * (expected or 1))
            elif frame.stamp <= last:
                raise InputError(f"frame {frame.name}: its stamp {frame.stamp} is not later than the one before it")
            text = store.types[STRING](data=frame.name)
            writer.write(names, frame.stamp, store.serialize_cdr(text, STRING))
            writer.write(images, frame.stamp, store.serialize_cdr(image_message(store, frame), IMAGE))
            recorded[frame.stamp] = frame.name
            last = frame.stamp
    if not recorded:
        raise InputError("the input holds no frames")
    return recorded


def _check(frame: Frame) -> None:
    try:
        check_image(frame.image)
    except InputError as error:
        raise InputError(f"frame {frame.name}: {error}") from None


def _require_room(folder: Path, clip: int) -> None:
    """The clip is stored twice, as frames and as overlays."""
    free = shutil.disk_usage(folder).free
    if 2.2 * clip > free:
        raise InputError(f"{folder}: the clip needs {2.2 * clip / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; take fewer frames")


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


def header_stamp(raw: bytes | memoryview) -> int:
    """The stamp, in nanoseconds, of a serialized message that begins with a std_msgs/Header."""
    order = "little" if raw[1] & 1 else "big"
    return int.from_bytes(raw[4:8], order, signed=True) * 1_000_000_000 + int.from_bytes(raw[8:12], order)


def _one_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
