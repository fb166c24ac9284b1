# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Structure and checksums of MCAP files, as the specification has them (mcap.dev/spec).

rosbags trusts lengths, checks the checksums of chunks without naming the damaged byte, and writes none.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

MAGIC = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, DATA_END = 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0F
HEAD = 9  # bytes of a record before its content: opcode, length
CHECKSUM = HEAD + 24  # offset of the checksum in a chunk's record
LARGEST_CHUNK = 2**30  # bytes; recorders write a few MB
SMALL_CHUNK = 2**26  # bytes that a chunk may decompress to whatever its compressed size
GROWTH = 1000  # maximum ratio of the decompressed and compressed sizes of a larger chunk


class Damage(Exception):
    """What is wrong with a record.

    Attributes:
        record: offset of the record in the file.
    """

    def __init__(self, record: int, problem: str):
        super().__init__(problem)
        self.record = record

    @property
    def line(self) -> str:
        """The problem and its position, in one line."""
        return f"damaged at byte {self.record}: {self}"


@dataclass(frozen=True)
class ChunkHeader:
    """The fields of a chunk's record.

    Attributes:
        length: bytes of the record after its first ``HEAD``.
        size: bytes of the decompressed records.
        checksum: CRC-32 of the decompressed records; 0 if unknown.
        compression: name of the compression; empty for none.
        stored_size: bytes of the compressed records.
        stored_offset: offset of the compressed records in the file.
    """

    length: int
    size: int
    checksum: int
    compression: str
    stored_size: int
    stored_offset: int

    @classmethod
    def read(cls, file: BinaryIO, offset: int) -> "ChunkHeader":
        """Reads the header of the chunk at an offset."""
        file.seek(offset + 1)
        length, _, _, size, checksum, name_length = struct.unpack("<QQQQII", file.read(40))
        compression = file.read(min(name_length, 16)).decode("ascii", "replace")
        (stored_size,) = struct.unpack("<Q", file.read(8))
        return cls(length, size, checksum, compression, stored_size, offset + HEAD + 40 + name_length)


def add_checksums(path: Path) -> None:
    """Writes the checksums of the uncompressed chunks into a file that rosbags has just written."""
    with path.open("r+b") as file:
        for offset, opcode, _ in records(file, len(MAGIC), path.stat().st_size - len(MAGIC)):
            if opcode == CHUNK and not (header := ChunkHeader.read(file, offset)).compression:
                file.seek(header.stored_offset)
                checksum = crc32(file.read(header.size))
                file.seek(offset + CHECKSUM)
                file.write(struct.pack("<I", checksum))


def records(file: BinaryIO, offset: int, end: int) -> Iterator[tuple[int, int, int | None]]:
    """Yields (offset, opcode, length) of each record from an offset on; length is None for a last one that exceeds ``end``."""
    while offset < end:
        file.seek(offset)
        head = file.read(HEAD)
        length = int.from_bytes(head[1:], "little")
        complete = offset + HEAD + length <= end
        yield offset, head[0], length if complete else None
        if not complete or head[0] == FOOTER:
            return
        offset += HEAD + length


def records_in(content: memoryview) -> Iterator[tuple[int, int, int, memoryview]]:
    """Yields (offset, opcode, length, content) of each record of a chunk or summary; the content of the last may be cut off."""
    offset = 0
    while offset + HEAD <= len(content):
        opcode, length = content[offset], int.from_bytes(content[offset + 1 : offset + HEAD], "little")
        yield offset, opcode, length, content[offset + HEAD : offset + HEAD + length]
        offset += HEAD + length


def record_problem(file: BinaryIO, offset: int, opcode: int, length: int) -> str | None:
    """Returns what is wrong with the structure of a record, or with the index's checksum; None if nothing is."""
    if opcode == 0:
        return "a record with the invalid opcode 0"
    if opcode == MESSAGE and length < 22 or opcode == FOOTER and length != 20 or opcode == CHUNK and length < 40:
        return f"a record of {length} bytes, too short for its kind"
    if opcode == FOOTER:
        return _footer_problem(file, offset)
    return _chunk_problem(file, offset) if opcode == CHUNK else None


def _footer_problem(file: BinaryIO, offset: int) -> str | None:
    file.seek(offset + HEAD)
    start, _, checksum = struct.unpack("<QQI", file.read(20))
    if not start or not checksum:
        return None
    if not len(MAGIC) <= start <= offset:
        return "the index is not where the footer says"
    file.seek(start)
    return None if crc32(file.read(offset + 25 - start)) == checksum else "the index does not have its checksum"


def _chunk_problem(file: BinaryIO, offset: int) -> str | None:
    header = ChunkHeader.read(file, offset)
    size, stored = header.size, header.stored_size
    if header.stored_offset + stored != offset + HEAD + header.length or (not header.compression and stored != size):
        return "a chunk whose sizes disagree"
    if size > min(LARGEST_CHUNK, max(SMALL_CHUNK, GROWTH * stored)):
        return f"a chunk that would grow from {stored} to {size} bytes"
    return None


def text_at(content: bytes, offset: int) -> tuple[str, int]:
    """Returns the text at an offset, and the offset behind it."""
    (length,) = struct.unpack_from("<I", content, offset)
    end = offset + 4 + length
    if end > len(content):
        raise ValueError("cut off")
    return content[offset + 4 : end].decode(), end
