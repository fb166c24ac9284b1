# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads the messages of an MCAP file in order of their log times, checked, as far as the file is undamaged.

One walk over the records, whose contents it skips, locates the messages: files without an end (of a recorder that was killed)
and without an index are read like others. Then one chunk after another is read, its checksum compared, and its messages handed
out as views; of chunks that overlap in time a few are kept in memory.
"""

import os
import struct
from array import array
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO
from zlib import crc32

import numpy as np
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from fcis_ros.bags.mcap_integrity import CHUNK, HEAD, LARGEST_CHUNK, MAGIC, MESSAGE, ChunkHeader, record_problem, records
from fcis_ros.errors import InputError

SCHEMA, CHANNEL, MESSAGE_INDEX = 0x03, 0x04, 0x07
MESSAGE_HEAD = 22  # bytes of a message record before the message: channel, sequence, log time, publish time
MAX_KEPT = 2**27  # bytes of chunks in memory, for messages of chunks that overlap in time
NO_CHUNK = 0  # "offset of the chunk" of a message outside chunks


class McapReader:
    """Reads one MCAP file.

    Attributes:
        origin: path that error messages name.
        damage: one line that names the first damaged byte; None if the structure is undamaged.

    Args:
        origin: path that error messages name.
        path: path of the file, which is a temporary one if the recording's is compressed.
        folder: temporary folder of the file, which has to live as long as the reader.

    Raises:
        InputError: not an MCAP file.
    """

    def __init__(self, origin: Path, path: Path, folder: TemporaryDirectory | None):
        self.origin, self._path, self._folder = origin, path, folder
        self.damage: str | None = None
        self._schemas: dict[int, str] = {}
        self._topics: dict[int, tuple[int, str]] = {}  # channel: schema, topic
        # Three numbers a message of each channel: log time, offset of the chunk, offset in the chunk (or in the file).
        self._entries: dict[int, array] = defaultdict(lambda: array("Q"))
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < len(MAGIC) or file.read(len(MAGIC)) != MAGIC:
                raise InputError(f"{origin}: not an MCAP file")
            file.seek(max(size - len(MAGIC), len(MAGIC)))
            ends = file.read() == MAGIC
            self._walk(file, size - len(MAGIC) if ends else size)
            if not ends and self.damage is None:
                self.damage = f"{origin}: cut off after {size} bytes, without end and index ('mcap recover' may repair it)"
        self._channels: dict[int, tuple[str, str]] = {}  # channel: topic, type; those with messages first
        for channel in dict.fromkeys([*self._entries, *self._topics]):
            if channel in self._topics:
                schema, topic = self._topics[channel]
                self._channels[channel] = topic, self._schemas.get(schema, "")

    def topics(self) -> list[tuple[str, str, int]]:
        """Returns (topic, type, number of messages) of each channel; a topic with several writers is listed several times."""
        return [(*names, len(self._entries.get(channel, ())) // 3) for channel, names in self._channels.items()]

    def _walk(self, file: BinaryIO, end: int) -> None:
        chunk, indexed = None, False
        for offset, opcode, length in records(file, end):
            if length is None:
                self.damage = self._at(offset, "a record that does not end within the file")
                if end == os.fstat(file.fileno()).st_size:  # no end either: the file was not damaged but cut off
                    self.damage = f"{self.origin}: cut off at byte {end}, in the record that begins at byte {offset}"
                break
            if problem := record_problem(file, offset, opcode, length):
                self.damage = self._at(offset, problem)
                break
            if opcode == MESSAGE_INDEX and chunk is not None:
                file.seek(offset + HEAD)
                self._read_index(chunk, file.read(length))
                indexed = True
                continue
            if chunk is not None and not indexed and not self._scan(file, chunk):
                return
            chunk, indexed = (offset, False) if opcode == CHUNK else (None, False)
            if opcode in (SCHEMA, CHANNEL, MESSAGE):
                file.seek(offset + HEAD)
                content = file.read(length if opcode != MESSAGE else MESSAGE_HEAD)
                if opcode == MESSAGE:
                    channel, _, time, _ = struct.unpack("<HIQQ", content)
                    self._entries[channel].extend((time, NO_CHUNK, offset))
                elif not self._define(opcode, content):
                    self.damage = self._at(offset, f"a record of {length} bytes, too short for its kind")
                    return
        if chunk is not None and not indexed and self.damage is None:
            self._scan(file, chunk)
        for channel, entries in list(self._entries.items()):  # an unfinished file defines its channels in the first chunk
            if channel not in self._topics and entries and entries[1] != NO_CHUNK:
                self._scan(file, entries[1], messages=False)

    def _at(self, offset: int, problem: str) -> str:
        return f"{self.origin}: damaged at byte {offset}: {problem}"

    def _scan(self, file: BinaryIO, chunk: int, messages: bool = True) -> bool:
        """Notes the messages and channels of a chunk without an index; returns False if the chunk is damaged."""
        try:
            content = self._load(file, chunk)
        except InputError as error:
            self.damage = str(error)
            return False
        offset = 0
        while offset + HEAD <= len(content):
            opcode, length = content[offset], int.from_bytes(content[offset + 1 : offset + HEAD], "little")
            body = content[offset + HEAD : offset + HEAD + length]
            if len(body) < length or (opcode == MESSAGE and length < MESSAGE_HEAD):
                self.damage = self._at(chunk, "a chunk whose records do not fill it")
                return False
            if opcode == MESSAGE and messages:
                channel, _, time, _ = struct.unpack_from("<HIQQ", body)
                self._entries[channel].extend((time, chunk, offset))
            elif opcode in (SCHEMA, CHANNEL):
                self._define(opcode, bytes(body))
            offset += HEAD + length
        return True

    def _define(self, opcode: int, content: bytes) -> bool:
        """Notes a schema or channel record; returns False if it is damaged."""
        try:
            if opcode == SCHEMA:
                (schema,) = struct.unpack_from("<H", content)
                self._schemas[schema] = _text(content, 2)
            else:
                channel, schema = struct.unpack_from("<HH", content)
                self._topics[channel] = (schema, _text(content, 4))
        except (struct.error, ValueError):
            return False
        return True

    def _read_index(self, chunk: int, content: bytes) -> None:
        channel, size = struct.unpack_from("<HI", content) if len(content) >= 6 else (0, 0)
        if size != len(content) - 6 or size % 16:
            self.damage = self.damage or self._at(chunk, "a chunk whose index is not whole")
            return
        index = np.frombuffer(content, "<u8", offset=6).reshape(-1, 2)
        entries = np.column_stack([index[:, 0], np.full(len(index), chunk, np.uint64), index[:, 1]])
        self._entries[channel].frombytes(entries.astype(np.uint64).tobytes())

    def messages(self, kinds: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, int, memoryview]]:
        """Yields (topic, type, log time, serialized message) of some topics, each of some types, in order of log times.

        Raises:
            InputError: the file is damaged; raised after the messages before the damage.
        """
        parts: list[np.ndarray] = [np.zeros((0, 4), np.uint64)]
        for channel, (topic, kind) in sorted(self._channels.items()):
            if kind in kinds.get(topic, ()):
                rows = np.frombuffer(self._entries.get(channel, b""), np.uint64).reshape(-1, 3)
                parts.append(np.column_stack([rows, np.full(len(rows), channel, np.uint64)]))
        entries = np.concatenate(parts)
        entries = entries[np.lexsort((entries[:, 2], entries[:, 1], entries[:, 0]))]
        kept: OrderedDict[int, memoryview] = OrderedDict()
        with self._path.open("rb") as file:
            for entry in entries:
                time, chunk, offset, channel = entry.tolist()
                if chunk == NO_CHUNK:
                    yield *self._channels[channel], time, self._message_outside(file, offset)
                    continue
                content = kept.get(chunk)
                if content is None:
                    kept[chunk] = content = self._load(file, chunk)
                    while len(kept) > 1 and sum(map(len, kept.values())) > MAX_KEPT:
                        kept.popitem(last=False)
                kept.move_to_end(chunk)
                yield *self._channels[channel], time, self._message_inside(content, chunk, offset, channel, time)
        if self.damage:
            raise InputError(self.damage)

    def _message_outside(self, file: BinaryIO, offset: int) -> memoryview:
        file.seek(offset + 1)
        (length,) = struct.unpack("<Q", file.read(8))
        content = file.read(length)
        if len(content) < length:
            raise InputError(f"{self.origin}: cut off at byte {offset}")
        return memoryview(content)[MESSAGE_HEAD:]

    def _message_inside(self, content: memoryview, chunk: int, offset: int, channel: int, time: int) -> memoryview:
        begin = offset + HEAD + MESSAGE_HEAD
        head = content[offset:begin]
        if len(head) == HEAD + MESSAGE_HEAD:
            opcode, length, its_channel, _, its_time, _ = struct.unpack("<BQHIQQ", head)
            end = offset + HEAD + length
            if (opcode, its_channel, its_time) == (MESSAGE, channel, time) and begin <= end <= len(content):
                return content[begin:end]
        raise InputError(self._at(chunk, "the chunk's index names a message that is not there"))

    def _load(self, file: BinaryIO, chunk: int) -> memoryview:
        """Reads, decompresses and checks the records of a chunk."""
        header = ChunkHeader.read(file, chunk)
        name = header.compression
        file.seek(header.stored_offset)
        content = file.read(min(header.stored_size, LARGEST_CHUNK))
        if name:
            try:
                content = DECOMPRESSORS[name](content, header.size)
            except Exception as error:  # noqa: BLE001 (each library has different ones)
                problem = f"a chunk that cannot be decompressed ({name!r}, {type(error).__name__})"
                raise InputError(self._at(chunk, problem)) from None
        if len(content) != header.size or (header.checksum and crc32(content) != header.checksum):
            raise InputError(self._at(chunk, "a chunk does not have its checksum"))
        return memoryview(content)


def _text(content: bytes, offset: int) -> str:
    (length,) = struct.unpack_from("<I", content, offset)
    if offset + 4 + length > len(content):
        raise ValueError("cut off")
    return content[offset + 4 : offset + 4 + length].decode()
