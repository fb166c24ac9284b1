# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads the image messages of a recording (rosbag2: a folder, or a bare .mcap or .db3 file), in pure Python, without ROS.

A message that cannot be used (cut off, an unknown encoding, a broken JPEG) is an error of ``BagFrame.image``, so the caller may
skip it. What is lost of a recording is among its findings; one that cannot be used at all (no images, several cameras and no
choice) is refused.
"""

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcis_ros.bags.packed_files import decompressed
from fcis_ros.bags.remote import RemoteFile, fetch
from fcis_ros.bags.splits import IMAGES, Split, one_line, open_splits
from fcis_ros.bags.stored import CDR, StoredMessage
from fcis_ros.errors import InputError
from fcis_ros.findings import Finding, listing
from fcis_ros.image_checks import check_image
from fcis_ros.messages import image_messages
from fcis_ros.messages.typestore import IMAGE, NAMES_TOPIC, STRING, header_stamp, message_types

WAITING_NAMES = 100  # names kept until their image comes, which follows directly


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
        raw: serialized message; empty if it cannot be read.
        problem: reason why it cannot be read, although the recording's index names it.
    """

    topic: str
    index: int
    name: str
    log_time: int
    stamp: int
    kind: str
    raw: bytes | memoryview
    problem: str | None = None

    def image(self) -> np.ndarray:
        """Decodes the image to [H, W, 3] uint8, RGB.

        Raises:
            InputError: the message is damaged, or not an image that the network can use.
        """
        try:
            if self.problem:
                raise InputError(self.problem)
            with one_line("message: "):
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
        count: number of messages on the topic that are known, readable or not.
        splits: files that can be read, in order of time.
        topics: {topic: (message type, number of messages)} of all topics.
        findings: what is lost of the recording, and remarks. A message that is known and cannot be read is no finding but a
            frame with a problem.
        source: local path, downloaded for a URL.
    """

    path: Path | str
    topic: str
    count: int
    splits: tuple[Split, ...]
    topics: Mapping[str, tuple[str, int]]
    findings: tuple[Finding, ...]
    source: RemoteFile

    @property
    def named(self) -> bool:
        """Whether the recording names its frames."""
        return self.topics.get(NAMES_TOPIC, ("", 0))[0] == STRING

    def frames(self) -> Iterator[BagFrame]:
        """Yields ``count`` images in order of their log times; holds one of them, and some chunks of an MCAP file, in memory.

        Raises:
            InputError: a file cannot be opened any more, or has changed.
        """
        index, names = 0, {}
        for topic, kind, time, raw, problem in self.messages({self.topic: IMAGES, NAMES_TOPIC: (STRING,)}):
            if topic == NAMES_TOPIC:
                names[time] = raw
                if len(names) > WAITING_NAMES:
                    del names[next(iter(names))]
                continue
            stamp = header_stamp(raw)
            name = _text(names.pop(time, b"")) or f"{index:06d}"
            yield BagFrame(self.topic, index, name, time, time if stamp is None else stamp, kind, raw, problem)
            index += 1

    def messages(self, kinds: Mapping[str, Collection[str]]) -> Iterator[StoredMessage]:
        """Yields the messages of some topics, each of some types, decompressed, in order of the log times of each file.

        Raises:
            InputError: as for ``frames``.
        """
        with self.source.errors_with_url():
            for split in self.splits:
                for message in split.messages(kinds):
                    try:
                        yield message._replace(raw=decompressed(message.raw))
                    except InputError as error:
                        yield message._replace(raw=b"", problem=f"{split.file.path.name}: a compressed message is {error}")


def open_recording(path: Path | str, topic: str | None = None) -> Recording:
    """Opens a recording; reads its structure, no message.

    Args:
        path: rosbag2 folder, with or without its metadata.yaml, or a bare ``.mcap`` or ``.db3`` file, or one compressed as a
            whole (``.mcap.zstd``), which is unpacked to a temporary file while it is read; or the URL of such a folder or file.
        topic: topic of the images (``sensor_msgs/Image`` or ``CompressedImage``); None if only one such topic has messages.

    Raises:
        InputError: not a recording, no file of it readable, no images, or several topics of images and no choice.
    """
    source = fetch(path, recording=True)
    with source.errors_with_url():
        splits, findings = open_splits(source.path)
        topics = all_topics(splits)
        chosen, count = choose_topic(source.path, splits, topics, topic, findings)
    return Recording(source.origin, chosen, count, splits, topics, findings, source)


def all_topics(splits: Sequence[Split]) -> dict[str, tuple[str, int]]:
    """Returns {topic: (message type, number of messages)}, sorted; of several types the one with most messages."""
    counts: Counter[tuple[str, str]] = Counter()
    for split in splits:
        for topic in split.topics:
            counts[topic.name, topic.kind] += topic.count
    kinds = {name: kind for (name, kind), _ in reversed(counts.most_common())}
    return {name: (kinds[name], sum(count for (each, _), count in counts.items() if each == name)) for name in sorted(kinds)}


def choose_topic(
    path: Path, splits: Sequence[Split], topics: Mapping[str, tuple[str, int]], topic: str | None, findings: Sequence[Finding]
) -> tuple[str, int]:
    """Returns the topic of the images of a recording, and the number of its messages.

    Args:
        path: path for messages.
        splits: files of the recording.
        topics: topics of ``all_topics``.
        topic: topic that was asked for; None if only one topic with images has messages.
        findings: findings of the recording.

    Raises:
        InputError: no images, or several topics of images and no choice.
    """
    images: Counter[str] = Counter()
    encodings: dict[str, str] = {}
    for split in splits:
        for each in split.topics:
            if each.kind in IMAGES and each.readable:
                images[each.name] += each.count
            elif not each.readable:
                encodings[each.name] = each.encoding
    listed = {}
    for name, (kind, count) in topics.items():
        encoded = f", encoded as {encodings[name]}" if name in encodings else ""
        listed[name] = f"{name} ({kind}, {count} messages{encoded})"
    wanted = sorted(images) if topic is None else [topic]
    filled = [name for name in wanted if images[name]]
    if filled:
        if len(filled) > 1:
            choice = listing(listed[name] for name in filled)
            raise InputError(f"{path}: several topics with images, choose one (--topic): {choice}")
        return filled[0], images[filled[0]]
    foreign = [name for name in (sorted(encodings) if topic is None else [topic]) if name in encodings and topics[name][1]]
    if foreign and not images.keys() & {topic}:
        text = listing(listed[name] for name in foreign)
        raise InputError(f"{path}: no images; messages must be encoded as {CDR}, as ROS 2 does: {text}")
    if lost := next((finding for finding in findings if finding.lost), None):
        raise InputError(f"{path}: no images can be read ({lost})")
    if topic is not None and topic not in images:
        others = listing(listed[name] for name in sorted(images)) or "none"
        raise InputError(f"{path}: no images on topic {topic}; topics with images: {others}")
    if not images:
        raise InputError(f"{path}: no topic with {' or '.join(IMAGES)}; its topics: {listing(listed.values()) or 'none'}")
    raise InputError(f"{path}: no messages on {listing(wanted)}")


def _text(raw: bytes | memoryview) -> str:
    """The text of a serialized std_msgs/String; empty if damaged, or unfit as a file's name."""
    with contextlib.suppress(Exception):
        text: str = message_types().deserialize_cdr(raw, STRING).data  # type: ignore[attr-defined] # types are made at run time
        return text if text.isprintable() and len(text) < 256 else ""
    return ""
