# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recordings (rosbag2: a folder, or a bare .mcap or .db3 file) -> image messages, one at a time. Pure Python, no ROS needed.

A message that cannot be used (cut off, an unknown encoding, a broken JPEG) is a matter of that message: ``Recorded.image`` says
what is wrong, and whoever reads decides. A recording that cannot be used (damaged, no images, several cameras and no choice) is
refused as a whole.
"""

import contextlib
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import Reader

from fcis_ros.bags import mcap
from fcis_ros.bags.messages import COMPRESSED, IMAGE, NAMES_TOPIC, STRING, header_stamp, message_types
from fcis_ros.data.frames import BAG_SUFFIXES, natural_key
from fcis_ros.errors import InputError
from fcis_ros.images import check_image
from fcis_ros.ros import convert

WAITING_NAMES = 100  # names that wait for their image; they come right before it


@dataclass(frozen=True, eq=False)
class Recorded:
    """An image message of a recording, not yet decoded.

    Attributes:
        topic: where it was published.
        index: its place among the images of the topic, from 0.
        name: of the recording's ``/frame_names`` if that has one, else the index in six digits.
        log_time: nanoseconds since the epoch at which it was recorded; they do not decrease.
        stamp: of its header, nanoseconds since the epoch, whatever the camera wrote there.
        kind: message type, ``IMAGE`` or ``COMPRESSED``.
        raw: the serialized message.
    """

    topic: str
    index: int
    name: str
    log_time: int
    stamp: int
    kind: str
    raw: bytes

    def image(self) -> np.ndarray:
        """The picture as [H, W, 3] uint8, RGB.

        Raises:
            InputError: the message is damaged, or not an image that the network can use.
        """
        try:
            with _refusing("message", "damaged"):
                message = message_types().deserialize_cdr(self.raw, self.kind)
            image = convert.to_rgb(message) if self.kind == IMAGE else convert.compressed_to_rgb(message)
            check_image(image)
        except InputError as error:
            raise InputError(f"frame {self.name} of {self.topic}: {error}") from None
        return image


@dataclass(frozen=True)
class Recording:
    """A recording, and the topic that is read of it.

    Attributes:
        path: folder or file.
        topic: the images' topic.
        count: number of its messages, as the recording's index has it.
        storages: what rosbags opens, in order of time.
        named: whether it names its frames.
    """

    path: Path
    topic: str
    count: int
    storages: tuple[Path, ...]
    named: bool

    @property
    def files(self) -> list[Path]:
        """The files that hold it."""
        inside = (sorted(own.iterdir()) if own.is_dir() else [own] for own in self.storages)
        return [file for files in inside for file in files if file.is_file()]

    def records(self) -> Iterator[Recorded]:
        """Reads the images in order of their log times; holds one of them, and of an MCAP file one chunk, in memory.

        Raises:
            InputError: the recording is damaged; says where, if it is an MCAP file.
        """
        index, names = 0, {}
        for topic, kind, time, raw in self._messages():
            if topic == NAMES_TOPIC:
                names[time] = raw
                if len(names) > WAITING_NAMES:
                    del names[next(iter(names))]
                continue
            stamp = header_stamp(raw)
            name = _text(names.pop(time, b"")) or f"{index:06d}"
            yield Recorded(self.topic, index, name, time, time if stamp is None else stamp, kind, raw)
            index += 1

    def _messages(self) -> Iterator[tuple[str, str, int, bytes]]:
        for storage in self.storages:
            with _refusing(storage, "damaged", self.path), Reader(storage) as reader:
                kinds = {self.topic: (IMAGE, COMPRESSED), NAMES_TOPIC: (STRING,)}
                wanted = [c for c in reader.connections if c.msgtype in kinds.get(c.topic, ())]
                for connection, time, raw in reader.messages(wanted) if wanted else ():
                    yield connection.topic, connection.msgtype, int(time), bytes(raw)


def open_recording(path: Path, topic: str | None = None) -> Recording:
    """Looks at a recording's index; reads no message.

    Args:
        path: a rosbag2 folder, also one that lacks its metadata.yaml, or a bare ``.mcap`` or ``.db3`` file.
        topic: of the images, ``sensor_msgs/Image`` or ``CompressedImage``; None where only one such topic has any.

    Raises:
        InputError: not a recording, a damaged one, no images in it, or several topics of images and no choice.
    """
    storages = _storages(path)
    counts: dict[str, int] = defaultdict(int)
    kinds: dict[str, str] = {}
    for storage in storages:
        with _refusing(storage, "not a readable rosbag2 folder or file"):
            for file in _mcap_files(storage):
                mcap.check(file)
        with _refusing(storage, "not a readable rosbag2 folder or file"), Reader(storage) as reader:
            for connection in reader.connections:
                counts[connection.topic] += int(connection.msgcount)
                kinds[connection.topic] = connection.msgtype
    listed = {name: f"{name} ({kinds[name]}, {counts[name]} messages)" for name in sorted(kinds)}
    images = [name for name in listed if kinds[name] in (IMAGE, COMPRESSED)]
    if topic is not None and topic not in images:
        raise InputError(f"{path}: no images on topic {topic}; topics with images: {_join(listed[name] for name in images)}")
    if not images:
        raise InputError(f"{path}: no topic with {IMAGE} or {COMPRESSED}; its topics: {_join(listed.values())}")
    filled = [name for name in ([topic] if topic else images) if counts[name] > 0]
    if not filled:
        raise InputError(f"{path}: no messages on {_join([topic] if topic else images)}")
    if len(filled) > 1:
        raise InputError(f"{path}: several topics with images, choose one (--topic): {_join(listed[name] for name in filled)}")
    return Recording(path, filled[0], counts[filled[0]], storages, kinds.get(NAMES_TOPIC) == STRING)


def _storages(path: Path) -> tuple[Path, ...]:
    if not path.exists():
        raise InputError(f"{path}: no such recording")
    if not path.is_dir() or (path / "metadata.yaml").is_file():
        return (path,)
    files = sorted((file for file in path.iterdir() if file.suffix in BAG_SUFFIXES), key=natural_key)
    if not files:
        raise InputError(f"{path}: not a rosbag2 folder, it has no metadata.yaml and no {' or '.join(BAG_SUFFIXES)} file")
    return tuple(files)


@contextlib.contextmanager
def _refusing(what: Path | str, problem: str, recording: Path | None = None) -> Iterator[None]:
    """Turns whatever a library raises over damaged bytes into one line; ``recording`` is searched for the place."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (rosbags, YAML, SQLite, zstd, lz4 and NumPy all have their own)
        for file in _mcap_files(recording) if recording else ():
            mcap.check(file, sums=True)
        text = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(f"{what}: {problem} ({text})") from None


def _mcap_files(path: Path) -> list[Path]:
    return [path] if path.suffix == ".mcap" else sorted(path.glob("*.mcap"))


def _text(raw: bytes) -> str:
    """A serialized std_msgs/String; empty if it is none, or nothing that one would call a file."""
    with contextlib.suppress(Exception):
        text = message_types().deserialize_cdr(raw, STRING).data
        return text if text.isprintable() and len(text) < 256 else ""
    return ""


def _join(topics) -> str:
    """A list for a message, not longer than one can read."""
    texts = list(itertools.islice(topics, 21))
    return ", ".join(texts[:20]) + (" ..." if len(texts) > 20 else "") or "none"
