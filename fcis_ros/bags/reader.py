# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads the image messages of a recording (rosbag2: a folder, or a bare .mcap or .db3 file), in pure Python, without ROS.

A message that cannot be used (cut off, an unknown encoding, a broken JPEG) is an error of ``BagFrame.image``, so the caller may
skip it. A recording that cannot be used (damaged, no images, several cameras and no choice) is refused as a whole.
"""

import contextlib
import io
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcis_ros.bags.remote import RemoteFile, fetch
from fcis_ros.bags.storage import Storage, open_storage, refusing, storage_files, zstd
from fcis_ros.errors import InputError
from fcis_ros.image_checks import check_image
from fcis_ros.messages import image_messages
from fcis_ros.messages.typestore import COMPRESSED, IMAGE, NAMES_TOPIC, STRING, header_stamp, message_types

WAITING_NAMES = 100  # names kept until their image comes, which follows directly
ZSTD = b"\x28\xb5\x2f\xfd"
LARGEST_MESSAGE = 2**30  # bytes that a compressed message may grow to


@dataclass(frozen=True, eq=False)
class BagFrame:
    """An image message of a recording, not yet decoded.

    Attributes:
        topic: topic of the message.
        index: index among the images of the topic, from 0.
        name: name from the recording's ``/frame_names`` if that has one, else the index in six digits.
        log_time: time of recording, nanoseconds since the epoch; does not decrease from frame to frame.
        stamp: stamp of the header, nanoseconds since the epoch, unchecked; the log time if there is no header.
        kind: message type, ``IMAGE`` or ``COMPRESSED``.
        raw: serialized message.
    """

    topic: str
    index: int
    name: str
    log_time: int
    stamp: int
    kind: str
    raw: bytes | memoryview

    def image(self) -> np.ndarray:
        """Decodes the image to [H, W, 3] uint8, RGB.

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
    """A recording and the topic of its images.

    Attributes:
        path: folder or file, or the URL of one.
        topic: topic of the images.
        count: number of messages on the topic, as far as the recording is undamaged.
        storages: files, in order of time.
        topics: {topic: (message type, number of messages)} of all topics.
        source: local path, downloaded for a URL.
    """

    path: Path | str
    topic: str
    count: int
    storages: tuple[Storage, ...]
    topics: Mapping[str, tuple[str, int]]
    source: RemoteFile

    @property
    def named(self) -> bool:
        """Whether the recording names its frames."""
        return self.topics.get(NAMES_TOPIC, ("", 0))[0] == STRING

    @property
    def damage(self) -> str | None:
        """Damage that is known without reading messages, in one line; None without any."""
        return next((storage.damage for storage in self.storages if storage.damage), None)

    def frames(self) -> Iterator[BagFrame]:
        """Yields the images in order of their log times; holds one of them, and some chunks of an MCAP file, in memory.

        Raises:
            InputError: the recording is damaged; raised after the frames before the damage.
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
        """Yields (topic, type, log time, serialized message) of some topics, each of some types, in order of the log times.

        Raises:
            InputError: as for ``records``.
        """
        with self.source.errors_with_url():
            for storage in self.storages:
                with refusing(storage.origin, "damaged"):
                    messages: Iterator[tuple[str, str, int, bytes | memoryview]] = storage.messages(kinds)
                    for number, (topic, kind, time, raw) in enumerate(messages):
                        yield topic, kind, time, _decompressed(raw, f"{storage.origin}: message {number} of {topic}")


def open_recording(path: Path | str, topic: str | None = None) -> Recording:
    """Opens a recording; reads its structure, no message.

    Args:
        path: rosbag2 folder, with or without its metadata.yaml, or a bare ``.mcap`` or ``.db3`` file, or one compressed as a
            whole (``.mcap.zstd``), which is unpacked to a temporary file; or the URL of such a folder or file.
        topic: topic of the images (``sensor_msgs/Image`` or ``CompressedImage``); None if only one such topic has messages.

    Raises:
        InputError: not a recording, too damaged to read an image, no images, or several topics of images and no choice.
    """
    source = fetch(path, recording=True)
    with source.errors_with_url():
        path = source.path
        storages = tuple(open_storage(file) for file in storage_files(path))
        counts: Counter[str] = Counter()
        kinds: dict[str, str] = {}
        for storage in storages:
            for name, kind, count in storage.topics():
                counts[name] += count
                kinds[name] = kind
        listed = {name: f"{name} ({kinds[name]}, {counts[name]} messages)" for name in sorted(kinds)}
        images = [name for name in listed if kinds[name] in (IMAGE, COMPRESSED)]
        filled = [name for name in images if counts[name] > 0 and topic in (None, name)]
        if not filled and (damage := next((storage.damage for storage in storages if storage.damage), None)):
            raise InputError(damage)
        if topic is not None and topic not in images:
            others = _join(listed[name] for name in images)
            raise InputError(f"{path}: no images on topic {topic}; topics with images: {others}")
        if not images:
            raise InputError(f"{path}: no topic with {IMAGE} or {COMPRESSED}; its topics: {_join(listed.values())}")
        if not filled:
            raise InputError(f"{path}: no messages on {_join([topic] if topic else images)}")
        if len(filled) > 1:
            choice = _join(listed[name] for name in filled)
            raise InputError(f"{path}: several topics with images, choose one (--topic): {choice}")
    topics = {name: (kinds[name], counts[name]) for name in listed}
    return Recording(source.origin, filled[0], counts[filled[0]], storages, topics, source)


def _decompressed(raw: bytes | memoryview, title: str) -> bytes | memoryview:
    """Decompresses a message that rosbag2 compressed; an uncompressed one begins with its byte order, 0 or 1."""
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
    """The text of a serialized std_msgs/String; empty if damaged, or unfit as a file's name."""
    with contextlib.suppress(Exception):
        text: str = message_types().deserialize_cdr(raw, STRING).data  # type: ignore[attr-defined] # types are made at run time
        return text if text.isprintable() and len(text) < 256 else ""
    return ""


def _join(topics: Iterable[str]) -> str:
    """A list of at most 20 entries for a message."""
    texts = list(itertools.islice(topics, 21))
    return ", ".join(texts[:20]) + (" ..." if len(texts) > 20 else "") or "none"
