# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""An MCAP file -> its messages in order of their log times, checked on the way, as far as the file is whole.

One walk over the records, whose contents it skips, finds what is where: files without an end (of a recorder that was killed)
and without an index are read like others. Then one chunk after the other is read, its checksum compared, its messages handed
out as views; of chunks that overlap in time a few are kept.
"""

import os
import struct
from array import array
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import numpy as np
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from fcis_ros.bags.mcap_integrity import CHUNK, LARGEST_CHUNK, MAGIC, MESSAGE, chunk_header, problem_of, records
from fcis_ros.errors import InputError

SCHEMA, CHANNEL, MESSAGE_INDEX = 0x03, 0x04, 0x07
KEPT = 2**27  # bytes of chunks that are kept because messages of several alternate
OUTSIDE = 0  # "place of the chunk" of a message that is in none


@dataclass
class Channel:
    """What one writer said on a topic.

    Attributes:
        topic: its name.
        kind: message type.
        count: number of messages.
    """

    topic: str
    kind: str
    count: int = 0


class McapReader:
    """Reads one file.

    Attributes:
        path: the file.
        channels: {id: channel}, as far as the file is whole.
        damage: where it is not, in a line; None if it is.

    Args:
        path: the file.

    Raises:
        InputError: not an MCAP file.
    """

    def __init__(self, path: Path):
        self.path = path
        self.channels: dict[int, Channel] = {}
        self.damage: str | None = None
        self._schemas: dict[int, str] = {}
        self._found: dict[int, tuple[int, str]] = {}  # channel: schema, topic
        # Of each channel time, chunk's place, offset there, time ...
        self._times: dict[int, array] = defaultdict(lambda: array("Q"))
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < len(MAGIC) or file.read(len(MAGIC)) != MAGIC:
                raise InputError(f"{path}: not an MCAP file")
            file.seek(max(size - len(MAGIC), len(MAGIC)))
            ends = file.read() == MAGIC
            self._walk(file, size - len(MAGIC) if ends else size)
            if not ends and self.damage is None:
                self.damage = f"{path}: cut off after {size} bytes, without end and index ('mcap recover' may repair it)"
        for channel, times in self._times.items():
            if channel in self._found:
                schema, topic = self._found[channel]
                self.channels[channel] = Channel(topic, self._schemas.get(schema, ""), len(times) // 3)
        for channel, (schema, topic) in self._found.items():
            self.channels.setdefault(channel, Channel(topic, self._schemas.get(schema, "")))

    def _walk(self, file: BinaryIO, end: int) -> None:
        chunk, indexed = None, False
        for place, kind, length in records(file, end):
            if length is None:
                self.damage = f"{self.path}: damaged at byte {place}: a record that does not end within the file"
                if end == os.fstat(file.fileno()).st_size:  # no end either: it was not damaged but cut off
                    self.damage = f"{self.path}: cut off at byte {end}, in the record that begins at byte {place}"
                break
            if problem := problem_of(file, place, kind, length, False):
                self.damage = f"{self.path}: damaged at byte {place}: {problem}"
                break
            if kind == MESSAGE_INDEX and chunk is not None:
                file.seek(place + 9)
                self._read_index(chunk, file.read(length))
                indexed = True
                continue
            if chunk is not None and not indexed and not self._look_into(file, chunk):
                return
            chunk, indexed = (place, False) if kind == CHUNK else (None, False)
            if kind in (SCHEMA, CHANNEL, MESSAGE):
                file.seek(place + 9)
                content = file.read(length if kind != MESSAGE else 22)
                if kind == MESSAGE:
                    channel, _, time, _ = struct.unpack("<HIQQ", content)
                    self._times[channel].extend((time, OUTSIDE, place))
                elif not self._note(kind, content):
                    self.damage = f"{self.path}: damaged at byte {place}: a record of {length} bytes, too short for its kind"
                    return
        if chunk is not None and not indexed and self.damage is None:
            self._look_into(file, chunk)
        for channel, times in list(self._times.items()):  # an unfinished file says in the first chunk what its channels are
            if channel not in self._found and times and times[1] != OUTSIDE:
                self._look_into(file, times[1], messages=False)

    def _look_into(self, file: BinaryIO, chunk: int, messages: bool = True) -> bool:
        """Notes what a chunk without an index holds, or which channels an unfinished file has; False if it is damaged."""
        try:
            content = self._load(file, chunk)
        except InputError as error:
            self.damage = str(error)
            return False
        place = 0
        while place + 9 <= len(content):
            kind, length = content[place], int.from_bytes(content[place + 1 : place + 9], "little")
            body = content[place + 9 : place + 9 + length]
            if len(body) < length or (kind == MESSAGE and length < 22):
                self.damage = f"{self.path}: damaged at byte {chunk}: a chunk whose records do not fill it"
                return False
            if kind == MESSAGE and messages:
                channel, _, time, _ = struct.unpack_from("<HIQQ", body)
                self._times[channel].extend((time, chunk, place))
            elif kind in (SCHEMA, CHANNEL):
                self._note(kind, bytes(body))
            place += 9 + length
        return True

    def _note(self, kind: int, content: bytes) -> bool:
        """Takes in a schema or channel record."""
        try:
            if kind == SCHEMA:
                (number,) = struct.unpack_from("<H", content)
                self._schemas[number] = _text(content, 2)
            else:
                number, schema = struct.unpack_from("<HH", content)
                self._found[number] = (schema, _text(content, 4))
        except (struct.error, ValueError):
            return False
        return True

    def _read_index(self, chunk: int, content: bytes) -> None:
        channel, size = struct.unpack_from("<HI", content) if len(content) >= 6 else (0, 0)
        if size != len(content) - 6 or size % 16:
            self.damage = self.damage or f"{self.path}: damaged at byte {chunk}: a chunk whose index is not whole"
            return
        entries = np.frombuffer(content, "<u8", offset=6).reshape(-1, 2)
        places = np.column_stack([entries[:, 0], np.full(len(entries), chunk, np.uint64), entries[:, 1]])
        self._times[channel].frombytes(places.astype(np.uint64).tobytes())

    def messages(self, wanted: Collection[int]) -> Iterator[tuple[int, int, memoryview]]:
        """(channel, log time, serialized message) of some channels, in order of time.

        Raises:
            InputError: where the file is damaged, after what came before that.
        """
        parts = [np.zeros((0, 4), np.uint64)]
        for channel in sorted(set(wanted) & self._times.keys()):
            own = np.frombuffer(self._times[channel], np.uint64).reshape(-1, 3)
            parts.append(np.column_stack([own, np.full(len(own), channel, np.uint64)]))
        entries = np.concatenate(parts)
        entries = entries[np.lexsort((entries[:, 2], entries[:, 1], entries[:, 0]))]
        kept: OrderedDict[int, memoryview] = OrderedDict()
        with self.path.open("rb") as file:
            for row in entries:
                time, chunk, offset, channel = row.tolist()
                if chunk == OUTSIDE:
                    yield channel, time, self._message_outside(file, offset)
                    continue
                content = kept.get(chunk)
                if content is None:
                    kept[chunk] = content = self._load(file, chunk)
                    while len(kept) > 1 and sum(map(len, kept.values())) > KEPT:
                        kept.popitem(last=False)
                kept.move_to_end(chunk)
                yield channel, time, self._message_inside(content, chunk, offset, channel, time)
        if self.damage:
            raise InputError(self.damage)

    def _message_outside(self, file: BinaryIO, place: int) -> memoryview:
        file.seek(place + 1)
        (length,) = struct.unpack("<Q", file.read(8))
        content = file.read(length)
        if len(content) < length:
            raise InputError(f"{self.path}: cut off at byte {place}")
        return memoryview(content)[22:]

    def _message_inside(self, content: memoryview, chunk: int, offset: int, channel: int, time: int) -> memoryview:
        head = content[offset : offset + 31]
        if len(head) == 31:
            kind, length, own, _, own_time, _ = struct.unpack("<BQHIQQ", head)
            end = offset + 9 + length
            if (kind, own, own_time) == (MESSAGE, channel, time) and length >= 22 and end <= len(content):
                return content[offset + 31 : end]
        raise InputError(f"{self.path}: damaged at byte {chunk}: the chunk's index names a message that is not there")

    def _load(self, file: BinaryIO, chunk: int) -> memoryview:
        """A chunk's content, checked."""
        _, size, total, name, stored, start = chunk_header(file, chunk)
        file.seek(start)
        content = file.read(min(stored, LARGEST_CHUNK))
        if name:
            try:
                content = DECOMPRESSORS[name](content, size)
            except Exception as error:  # noqa: BLE001 (each library has its own)
                problem = f"a chunk that cannot be decompressed ({name!r}, {type(error).__name__})"
                raise InputError(f"{self.path}: damaged at byte {chunk}: {problem}") from None
        if len(content) != size or (total and crc32(content) != total):
            raise InputError(f"{self.path}: damaged at byte {chunk}: a chunk does not have its checksum")
        return memoryview(content)


def _text(content: bytes, place: int) -> str:
    (length,) = struct.unpack_from("<I", content, place)
    if place + 4 + length > len(content):
        raise ValueError("cut off")
    return content[place + 4 : place + 4 + length].decode()
