# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Is an MCAP file whole? Structure and checksums, as its specification has them (mcap.dev/spec), with the byte that is wrong.

rosbags reads the messages; it trusts lengths, checks the sums of chunks without saying where, and writes none.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from fcis_ros.errors import InputError

MAGIC = b"\x89MCAP0\r\n"
FOOTER, MESSAGE, CHUNK = 0x02, 0x05, 0x06
LARGEST_CHUNK = 2**30  # bytes; recorders write a few MB
SMALL_CHUNK = 2**26  # bytes that a chunk may grow to whatever its compressed size
GROWTH = 1000  # times that a larger chunk may grow


def check(path: Path, sums: bool = False) -> None:
    """Walks over a file's records; reads their contents only for checksums.

    Args:
        path: the file.
        sums: also checks the sums of all chunks, which means to read the whole file. That of the index is always checked.

    Raises:
        InputError: the file is cut off or damaged; says where.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 2 * len(MAGIC) or file.read(len(MAGIC)) != MAGIC:
            raise InputError(f"{path}: not an MCAP file")
        file.seek(-len(MAGIC), os.SEEK_END)
        if file.read() != MAGIC:
            raise InputError(f"{path}: cut off after {size} bytes, without end and index ('mcap recover' may repair it)")
        for place, kind, length in records(file, size - len(MAGIC)):
            if length is None:
                raise InputError(f"{path}: damaged at byte {place}: a record that does not end within the file")
            if problem := problem_of(file, place, kind, length, sums):
                raise InputError(f"{path}: damaged at byte {place}: {problem}")


def add_sums(path: Path) -> None:
    """Fills in the checksums of the uncompressed chunks of a file that rosbags has just written."""
    with path.open("r+b") as file:
        for place, kind, _ in records(file, path.stat().st_size - len(MAGIC)):
            if kind == CHUNK:
                _, size, _, name, _, start = chunk_header(file, place)
                if name == "":
                    file.seek(start)
                    total = crc32(file.read(size))
                    file.seek(place + 9 + 24)
                    file.write(struct.pack("<I", total))


def records(file: BinaryIO, end: int) -> Iterator[tuple[int, int, int | None]]:
    """(place, kind, length) of every record; length is None where it leaves the file, which is the last one then."""
    place = len(MAGIC)
    while place < end:
        file.seek(place)
        head = file.read(9)
        length = int.from_bytes(head[1:], "little")
        whole = place + 9 + length <= end
        yield place, head[0], length if whole else None
        if not whole or head[0] == FOOTER:
            return
        place += 9 + length


def chunk_header(file: BinaryIO, place: int) -> tuple[int, int, int, str, int, int]:
    """Length of its record, size, checksum, compression, stored size and the stored data's place of a chunk."""
    file.seek(place + 1)
    length, _, _, size, total, name_length = struct.unpack("<QQQQII", file.read(40))
    name = file.read(min(name_length, 16)).decode("ascii", "replace")
    (stored,) = struct.unpack("<Q", file.read(8))
    return length, size, total, name, stored, place + 9 + 40 + name_length


def problem_of(file: BinaryIO, place: int, kind: int, length: int, sums: bool) -> str | None:
    if kind == 0:
        return "a record of no kind"
    if kind == MESSAGE and length < 22 or kind == FOOTER and length != 20 or kind == CHUNK and length < 40:
        return f"a record of {length} bytes, too short for its kind"
    if kind == FOOTER:
        return _footer_problem(file, place)
    return _chunk_problem(file, place, sums) if kind == CHUNK else None


def _footer_problem(file: BinaryIO, place: int) -> str | None:
    file.seek(place + 9)
    start, _, total = struct.unpack("<QQI", file.read(20))
    if not start or not total:
        return None
    if not len(MAGIC) <= start <= place:
        return "the index is not where it should be"
    file.seek(start)
    return None if crc32(file.read(place + 25 - start)) == total else "the index does not have its checksum"


def _chunk_problem(file: BinaryIO, place: int, sums: bool) -> str | None:
    length, size, total, name, stored, start = chunk_header(file, place)
    if start + stored != place + 9 + length or (name == "" and stored != size):
        return "a chunk whose sizes disagree"
    if size > min(LARGEST_CHUNK, max(SMALL_CHUNK, GROWTH * stored)):
        return f"a chunk that would grow from {stored} to {size} bytes"
    if not sums or not total:
        return None
    file.seek(start)
    try:
        content = DECOMPRESSORS[name](file.read(stored), size)
    except Exception as error:  # noqa: BLE001 (each library has its own)
        return f"a chunk that cannot be decompressed ({type(error).__name__})"
    return None if crc32(content) == total else "a chunk does not have its checksum"
