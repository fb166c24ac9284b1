# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads the messages of an MCAP file in order of their log times, checked, as far as the file is undamaged.

One walk over the records, whose contents it skips, locates the messages: files without an end (of a recorder that was killed)
and without an index are read like others. Behind damage the walk goes on at the next chunk that the summary at the end of the
file names. Then one chunk after another is read, its checksum compared, and its messages handed out as views; of chunks that
overlap in time a few are kept in memory. A message that an index names and that cannot be read is yielded with its problem.
"""

import bisect
import contextlib
import os
import struct
from array import array
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import numpy as np
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from fcis_ros.bags.mcap_integrity import (
    CHANNEL,
    CHUNK,
    DATA_END,
    HEAD,
    LARGEST_CHUNK,
    MAGIC,
    MESSAGE,
    MESSAGE_INDEX,
    SCHEMA,
    ChunkHeader,
    Damage,
    record_problem,
    records,
    records_in,
    text_at,
)
from fcis_ros.bags.mcap_summary import Summary
from fcis_ros.bags.stored import StoredMessage, StoredTopic
from fcis_ros.errors import InputError

MESSAGE_HEAD = 22  # bytes of a message record before the message: channel, sequence, log time, publish time
MAX_KEPT = 2**27  # bytes of chunks in memory, for messages of chunks that overlap in time
NO_CHUNK = 0  # "offset of the chunk" of a message outside chunks
BLOCK = 1 << 22  # bytes


class McapReader:
    """Structure of one MCAP file.

    Attributes:
        storage: name of the format.
        compression: compression of the first chunk; empty for none.
        damage: one line that names the first damaged byte; None if the structure is undamaged. What is lost there, and named by
            no index, is not known.

    Args:
        path: path of the file.

    Raises:
        InputError: not an MCAP file.
    """

    def __init__(self, path: Path):
        self.storage, self.compression = "MCAP", ""
        self.damage: str | None = None
        self._schemas: dict[int, str] = {}
        self._topics: dict[int, tuple[int, str, str]] = {}  # channel: schema, topic, encoding
        # Three numbers a message of each channel: log time, offset of the chunk, offset in the chunk (or in the file).
        self._entries: dict[int, array] = defaultdict(lambda: array("Q"))
        self._chunks: dict[int, None] = {}  # offsets, in order
        self._data_end: tuple[int, int] | None = None  # offset; CRC-32 of the data before it, 0 if unknown
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < len(MAGIC) or file.read(len(MAGIC)) != MAGIC:
                raise InputError("not an MCAP file" if size else "an empty file")
            file.seek(max(size - len(MAGIC), len(MAGIC)))
            ends = file.read() == MAGIC
            self._locate(file, size - len(MAGIC) if ends else size, ends)
            with contextlib.suppress(struct.error, StopIteration):
                self.compression = ChunkHeader.read(file, next(iter(self._chunks))).compression
            if not ends and self.damage is None:
                self.damage = f"cut off after {size} bytes, without end and index ('mcap recover' may repair it)"
        self._channels: dict[int, StoredTopic] = {}  # those with messages first
        for channel in dict.fromkeys([*self._entries, *self._topics]):
            count = len(self._entries.get(channel, ())) // 3
            if channel in self._topics:
                schema, topic, encoding = self._topics[channel]
                self._channels[channel] = StoredTopic(topic, self._schemas.get(schema, ""), encoding, count)
            elif count:
                self.damage = self.damage or f"damaged: {count} messages of a channel that the file does not define"

    @property
    def topics(self) -> list[StoredTopic]:
        """Topics of the file, one for each writer; those with messages come first."""
        return list(self._channels.values())

    def times(self, topic: str, kinds: Collection[str]) -> np.ndarray:
        """Returns the log times of the messages of a topic that have some of the types: [messages] int64, ascending."""
        channels = [channel for channel in self._wanted({topic: kinds}) if channel in self._entries]
        times = [np.frombuffer(self._entries[channel], np.uint64)[::3].astype(np.int64) for channel in channels]
        return np.sort(np.concatenate([np.zeros(0, np.int64), *times]))

    def _wanted(self, kinds: Mapping[str, Collection[str]]) -> list[int]:
        channels = sorted(self._channels.items())
        return [number for number, topic in channels if topic.readable and topic.kind in kinds.get(topic.name, ())]

    def _locate(self, file: BinaryIO, end: int, ends: bool) -> None:
        """Walks over the records, and on behind damage as far as the summary names chunks."""
        summary = Summary.read(file, end) if ends else Summary()
        for opcode, content in summary.definitions:
            self._define(opcode, content)
        offset: int | None = len(MAGIC)
        while offset is not None:
            try:
                self._walk(file, offset, end, ends)
                offset = None
            except Damage as damage:
                cut = f"cut off at byte {end}, in the record that begins at byte {damage.record}"
                self.damage = self.damage or (damage.line if str(damage) else cut)
                offset = self._skip(file, summary, damage.record)
        for channel, entries in list(self._entries.items()):  # an unfinished file defines its channels in the first chunk
            if channel not in self._topics and entries and entries[1] != NO_CHUNK:
                with contextlib.suppress(Damage):
                    self._scan(file, entries[1], [])

    def _walk(self, file: BinaryIO, start: int, end: int, ends: bool) -> None:
        """Locates the messages from an offset on; raises Damage, without text if the file was cut off there."""
        chunk: int | None = None
        index: list[tuple[int, bytes]] = []  # of the chunk
        try:
            for offset, opcode, length in records(file, start, end):
                if length is None:
                    raise Damage(offset, "a record that does not end within the file" if ends else "")
                if problem := record_problem(file, offset, opcode, length):
                    raise Damage(offset, problem)
                if opcode == MESSAGE_INDEX and chunk is not None:
                    file.seek(offset + HEAD)
                    index.append(_index_entries(chunk, file.read(length)))
                    continue
                if chunk is not None:
                    self._add(file, chunk, index)
                chunk, index = (offset, []) if opcode == CHUNK else (None, [])
                if opcode in (SCHEMA, CHANNEL, MESSAGE, DATA_END):
                    file.seek(offset + HEAD)
                    self._note(opcode, offset, file.read(length if opcode != MESSAGE else MESSAGE_HEAD))
        except Damage:
            if chunk is not None and chunk not in self._chunks:
                with contextlib.suppress(Damage):
                    self._add(file, chunk, [])  # its index may not be whole
            raise
        if chunk is not None:
            self._add(file, chunk, index)

    def _note(self, opcode: int, offset: int, content: bytes) -> None:
        if opcode == MESSAGE:
            channel, _, time, _ = struct.unpack("<HIQQ", content)
            self._entries[channel].extend((time, NO_CHUNK, offset))
        elif opcode == DATA_END:
            self._data_end = offset, int.from_bytes(content[:4], "little")
        elif not self._define(opcode, content):
            raise Damage(offset, f"a record of {len(content)} bytes, too short for its kind")

    def _add(self, file: BinaryIO, chunk: int, index: list[tuple[int, bytes]]) -> None:
        """Notes the messages of a chunk; those of one without an index are looked for in it."""
        try:
            if not index:
                self._scan(file, chunk, index)
            self._chunks[chunk] = None
        finally:
            for channel, entries in index:
                self._chunks[chunk] = None
                self._entries[channel].frombytes(entries)

    def _skip(self, file: BinaryIO, summary: Summary, record: int) -> int | None:
        """Notes the messages of the chunk around a damaged record by its index, and returns the offset of the next chunk."""
        following = bisect.bisect_right(summary.chunks, record, key=lambda entry: entry[0])
        if following:
            chunk, size, index_size = summary.chunks[following - 1]
            if record < chunk + size + index_size and chunk not in self._chunks:
                with contextlib.suppress(Damage):
                    self._add(file, chunk, list(_stored_index(file, chunk, chunk + size, index_size)))
        return summary.chunks[following][0] if following < len(summary.chunks) else None

    def _scan(self, file: BinaryIO, chunk: int, index: list[tuple[int, bytes]]) -> None:
        """Appends the messages of a chunk to an index, and notes its channels; raises Damage behind those before the damage."""
        for offset, opcode, length, body in records_in(self._load(file, chunk)):
            if len(body) < length or (opcode == MESSAGE and length < MESSAGE_HEAD):
                raise Damage(chunk, "a chunk whose records do not fill it")
            if opcode == MESSAGE:
                channel, _, time, _ = struct.unpack_from("<HIQQ", body)
                index.append((channel, struct.pack("=QQQ", time, chunk, offset)))
            elif opcode in (SCHEMA, CHANNEL):
                self._define(opcode, bytes(body))

    def _define(self, opcode: int, content: bytes) -> bool:
        """Notes a schema or channel record; returns False if it is damaged."""
        try:
            if opcode == SCHEMA:
                (schema,) = struct.unpack_from("<H", content)
                self._schemas[schema] = text_at(content, 2)[0]
            else:
                channel, schema = struct.unpack_from("<HH", content)
                topic, end = text_at(content, 4)
                self._topics[channel] = (schema, topic, text_at(content, end)[0])
        except (struct.error, ValueError):
            return False
        return True

    def messages(self, path: Path, kinds: Mapping[str, Collection[str]], since: int = 0) -> Iterator[StoredMessage]:
        """Yields the messages of some topics, each of some types, in order of log times.

        Args:
            path: path of the file.
            kinds: {topic: types}.
            since: earliest log time, nanoseconds.
        """
        parts: list[np.ndarray] = [np.zeros((0, 4), np.uint64)]
        for channel in self._wanted(kinds):
            rows = np.frombuffer(self._entries.get(channel, b""), np.uint64).reshape(-1, 3)
            parts.append(np.column_stack([rows, np.full(len(rows), channel, np.uint64)]))
        entries = np.concatenate(parts)
        entries = entries[entries[:, 0] >= since] if since else entries
        entries = entries[np.lexsort((entries[:, 2], entries[:, 1], entries[:, 0]))]
        kept: OrderedDict[int, memoryview | Damage] = OrderedDict()
        with path.open("rb") as file:
            for entry in entries:
                time, chunk, offset, channel = entry.tolist()
                raw, problem = memoryview(b""), None
                try:
                    if chunk == NO_CHUNK:
                        raw = _message_outside(file, offset)
                    else:
                        raw = _message_inside(self._kept(kept, file, chunk), chunk, offset, channel, time)
                except Damage as damage:
                    problem = damage.line
                yield StoredMessage(self._channels[channel].name, self._channels[channel].kind, time, raw, problem)

    def _kept(self, kept: "OrderedDict[int, memoryview | Damage]", file: BinaryIO, chunk: int) -> memoryview:
        """Returns the records of a chunk, from those in memory if they are there; raises its damage."""
        content = kept.get(chunk)
        if content is None:
            try:
                content = self._load(file, chunk)
            except Damage as damage:
                content = damage
            kept[chunk] = content
            while len(kept) > 1 and sum(len(each) for each in kept.values() if isinstance(each, memoryview)) > MAX_KEPT:
                kept.popitem(last=False)
        kept.move_to_end(chunk)
        if isinstance(content, Damage):
            raise content
        return content

    def _load(self, file: BinaryIO, chunk: int) -> memoryview:
        """Reads, decompresses and checks the records of a chunk."""
        try:
            header = ChunkHeader.read(file, chunk)
            problem = record_problem(file, chunk, CHUNK, header.length)
        except struct.error:
            problem = "cut off"
        if problem:
            raise Damage(chunk, problem)
        name = header.compression
        file.seek(header.stored_offset)
        content = file.read(min(header.stored_size, LARGEST_CHUNK))
        if name:
            try:
                content = DECOMPRESSORS[name](content, header.size)
            except Exception as error:  # noqa: BLE001 (each library has different ones)
                raise Damage(chunk, f"a chunk that cannot be decompressed ({name!r}, {type(error).__name__})") from None
        if len(content) != header.size or (header.checksum and crc32(content) != header.checksum):
            raise Damage(chunk, "a chunk does not have its checksum")
        return memoryview(content)

    def check(self, path: Path) -> Iterator[tuple[int, str | None]]:
        """Reads the whole file and compares all checksums; yields bytes that were read, and what is wrong with them or None."""
        counts: Counter[int] = Counter()
        for entries in self._entries.values():
            chunks, numbers = np.unique(np.frombuffer(entries, np.uint64)[1::3], return_counts=True)
            counts.update(dict(zip(chunks.tolist(), numbers.tolist(), strict=True)))
        with path.open("rb") as file:
            for chunk in self._chunks:
                try:
                    yield len(self._load(file, chunk)), None
                except Damage as damage:
                    yield 0, f"{damage.line} ({counts[chunk]} messages)"
            if self._data_end and self._data_end[1]:
                checksum, left = 0, self._data_end[0]
                file.seek(0)
                while left and (block := file.read(min(BLOCK, left))):
                    checksum, left = crc32(block, checksum), left - len(block)
                    yield 0, None
                if checksum != self._data_end[1]:
                    yield 0, "damaged: the data do not have the checksum at their end"


def _index_entries(chunk: int, content: bytes) -> tuple[int, bytes]:
    """Returns the channel of an index record, and three numbers for each message, as ``McapReader`` keeps them."""
    channel, size = struct.unpack_from("<HI", content) if len(content) >= 6 else (0, 0)
    if size != len(content) - 6 or size % 16:
        raise Damage(chunk, "a chunk whose index is not whole")
    index = np.frombuffer(content, "<u8", offset=6).reshape(-1, 2)
    entries = np.column_stack([index[:, 0], np.full(len(index), chunk, np.uint64), index[:, 1]])
    return channel, entries.astype(np.uint64).tobytes()


def _stored_index(file: BinaryIO, chunk: int, start: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Yields the entries of the index records behind a chunk."""
    for offset, opcode, length in records(file, start, start + size):
        if opcode != MESSAGE_INDEX or length is None:
            raise Damage(chunk, "a chunk whose index is not whole")
        file.seek(offset + HEAD)
        yield _index_entries(chunk, file.read(length))


def _message_outside(file: BinaryIO, offset: int) -> memoryview:
    file.seek(offset + 1)
    (length,) = struct.unpack("<Q", file.read(8))
    content = file.read(length)
    if len(content) < length:
        raise Damage(offset, "cut off")
    return memoryview(content)[MESSAGE_HEAD:]


def _message_inside(content: memoryview, chunk: int, offset: int, channel: int, time: int) -> memoryview:
    begin = offset + HEAD + MESSAGE_HEAD
    head = content[offset:begin]
    if len(head) == HEAD + MESSAGE_HEAD:
        opcode, length, its_channel, _, its_time, _ = struct.unpack("<BQHIQQ", head)
        end = offset + HEAD + length
        if (opcode, its_channel, its_time) == (MESSAGE, channel, time) and begin <= end <= len(content):
            return content[begin:end]
    raise Damage(chunk, "the chunk's index names a message that is not there")
