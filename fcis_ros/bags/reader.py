# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recordings (rosbag2: a folder, or a bare .mcap or .db3 file) -> image messages, one at a time. Pure Python, no ROS needed.

A message that cannot be used (cut off, an unknown encoding, a broken JPEG) is a matter of that message: ``BagFrame.image`` says
what is wrong, and whoever reads decides. A recording that cannot be used (damaged, no images, several cameras and no choice) is
refused as a whole.
"""

import contextlib
import io
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcis_ros.bags.remote import RemoteFile, place_of
from fcis_ros.bags.storage import Storage, open_storage, refusing, storage_files, zstd
from fcis_ros.errors import InputError
from fcis_ros.image_checks import check_image
from fcis_ros.messages import image_messages
from fcis_ros.messages.typestore import COMPRESSED, IMAGE, NAMES_TOPIC, STRING, header_stamp, message_types

WAITING_NAMES = 100  # names that wait for their image; they come right before it
ZSTD = b"\x28\xb5\x2f\xfd"
LARGEST_MESSAGE = 2**30  # bytes that a compressed message may grow to


@dataclass(frozen=True, eq=False)
class BagFrame:
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
    raw: bytes | memoryview

    def image(self) -> np.ndarray:
        """The picture as [H, W, 3] uint8, RGB.

        Raises:
            InputError: the message is damaged, or not an image that the network can use.
        """
        try:
            with refusing("message", "damaged"):
                message = message_types().deserialize_cdr(self.raw, self.kind)
            image = image_messages.to_rgb(message) if self.kind == IMAGE else image_messages.compressed_to_rgb(message)
            check_image(image)
        except InputError as error:
            raise InputError(f"frame {self.name} of {self.topic}: {error}") from None
        return image


@dataclass(frozen=True)
class Recording:
    """A recording, and the topic that is read of it.

    Attributes:
        path: folder or file, or the URL of one, which was fetched to ``place``.
        topic: the images' topic.
        count: number of its messages, as far as the recording is whole.
        storages: its files, in order of time.
        topics: {topic: (message type, number of messages)} of all that it holds.
        place: where it is read.
    """

    path: Path | str
    topic: str
    count: int
    storages: tuple["Storage", ...]
    topics: Mapping[str, tuple[str, int]]
    place: RemoteFile

    @property
    def named(self) -> bool:
        """Whether it names its frames."""
        return self.topics.get(NAMES_TOPIC, ("", 0))[0] == STRING

    @property
    def damage(self) -> str | None:
        """Where it is damaged, as far as that can be told without reading its messages; None if it is whole."""
        return next((storage.damage for storage in self.storages if storage.damage), None)

    def records(self) -> Iterator[BagFrame]:
        """Reads the images in order of their log times; holds one of them, and of an MCAP file some chunks, in memory.

        Raises:
            InputError: the recording is damaged; says where. What came before that has been read.
        """
        index, names = 0, {}
        for topic, kind, time, raw in self.messages({self.topic: (IMAGE, COMPRESSED), NAMES_TOPIC: (STRING,)}):
            if topic == NAMES_TOPIC:
                names[time] = raw
                if len(names) > WAITING_NAMES:
                    del names[next(iter(names))]
                continue
            stamp = header_stamp(raw)
            name = _text(names.pop(time, b"")) or f"{index:06d}"
            yield BagFrame(self.topic, index, name, time, time if stamp is None else stamp, kind, raw)
            index += 1

    def messages(self, kinds: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, int, bytes | memoryview]]:
        """(topic, type, log time, serialized message) of some topics, each of some types, in order of the log times.

        Raises:
            InputError: as ``records``.
        """
        with self.place.naming():
            for storage in self.storages:
                for number, (topic, kind, time, raw) in enumerate(storage.messages(kinds)):
                    yield topic, kind, time, _decompressed(raw, f"{storage.shown}: message {number} of {topic}")


def open_recording(path: Path | str, topic: str | None = None) -> Recording:
    """Looks at what a recording holds; reads no message.

    Args:
        path: a rosbag2 folder, also one that lacks its metadata.yaml, or a bare ``.mcap`` or ``.db3`` file; also compressed
            (``.mcap.zstd``), and unpacked to a temporary file then; or the URL of such a folder or file, see ``places``.
        topic: of the images, ``sensor_msgs/Image`` or ``CompressedImage``; None where only one such topic has any.

    Raises:
        InputError: not a recording, one without a readable image because it is damaged, no images in it, or several topics of
            images and no choice.
    """
    place = place_of(path, recording=True)
    with place.naming():
        return _open(place, topic)


def _open(place: RemoteFile, topic: str | None) -> Recording:
    path = place.path
    storages = tuple(open_storage(file) for file in storage_files(path))
    counts: dict[str, int] = defaultdict(int)
    kinds: dict[str, str] = {}
    for storage in storages:
        for name, kind, count in storage.topics():
            counts[name] += count
            kinds[name] = kind
    listed = {name: f"{name} ({kinds[name]}, {counts[name]} messages)" for name in sorted(kinds)}
    images = [name for name in listed if kinds[name] in (IMAGE, COMPRESSED)]
    filled = [name for name in images if counts[name] > 0 and topic in (None, name)]
    if not filled and (damage := next((own.damage for own in storages if own.damage), None)):
        raise InputError(damage)
    if topic is not None and topic not in images:
        raise InputError(f"{path}: no images on topic {topic}; topics with images: {_join(listed[name] for name in images)}")
    if not images:
        raise InputError(f"{path}: no topic with {IMAGE} or {COMPRESSED}; its topics: {_join(listed.values())}")
    if not filled:
        raise InputError(f"{path}: no messages on {_join([topic] if topic else images)}")
    if len(filled) > 1:
        raise InputError(f"{path}: several topics with images, choose one (--topic): {_join(listed[name] for name in filled)}")
    topics = {name: (kinds[name], counts[name]) for name in sorted(kinds)}
    return Recording(place.shown, filled[0], counts[filled[0]], storages, topics, place)


def _decompressed(raw: bytes | memoryview, title: str) -> bytes | memoryview:
    """A message that rosbag2 compressed by itself; a plain one begins with its own byte order, 0 or 1."""
    if raw[:4] != ZSTD:
        return raw
    try:
        with zstd.open(io.BytesIO(raw), "rb") as unpacking:
            content = unpacking.read(LARGEST_MESSAGE + 1)
        if len(content) > LARGEST_MESSAGE:
            raise ValueError("larger than a message may be")
    except (zstd.ZstdError, EOFError, ValueError) as error:
        raise InputError(f"{title}: damaged ({error})") from None
    return content


def _text(raw: bytes | memoryview) -> str:
    """A serialized std_msgs/String; empty if it is none, or nothing that one would call a file."""
    with contextlib.suppress(Exception):
        text = message_types().deserialize_cdr(raw, STRING).data
        return text if text.isprintable() and len(text) < 256 else ""
    return ""


def _join(topics) -> str:
    """A list for a message, not longer than one can read."""
    texts = list(itertools.islice(topics, 21))
    return ", ".join(texts[:20]) + (" ..." if len(texts) > 20 else "") or "none"
