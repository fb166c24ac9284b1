# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The summary at the end of an MCAP file: where its chunks are, and the definitions of its channels."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from fcis_ros.bags.mcap_integrity import CHANNEL, FOOTER, HEAD, MAGIC, SCHEMA, record_problem, records_in

CHUNK_INDEX = 0x08
FOOTER_SIZE = HEAD + 20


@dataclass(frozen=True)
class Summary:
    """Summary of a file; empty if the file has none, or a damaged one.

    Attributes:
        definitions: (opcode, content) of each record that defines a schema or a channel.
        chunks: offset of each chunk, bytes of its record, bytes of its index behind it; in order.
    """

    definitions: tuple[tuple[int, bytes], ...] = ()
    chunks: tuple[tuple[int, int, int], ...] = ()

    @classmethod
    def read(cls, file: BinaryIO, end: int) -> "Summary":
        """Reads the summary of a file whose last record ends at ``end``."""
        footer = end - FOOTER_SIZE
        if footer < len(MAGIC):
            return cls()
        file.seek(footer)
        content = file.read(FOOTER_SIZE)
        opcode, length, start, _, _ = struct.unpack("<BQQQI", content)
        whole = (opcode, length) == (FOOTER, 20) and record_problem(file, footer, FOOTER, 20) is None
        if not (whole and len(MAGIC) <= start <= footer):
            return cls()
        file.seek(start)
        try:
            return cls._parse(memoryview(file.read(footer - start)))
        except struct.error:
            return cls()

    @classmethod
    def _parse(cls, content: memoryview) -> "Summary":
        definitions, chunks = [], []
        for _, opcode, _, body in records_in(content):
            if opcode in (SCHEMA, CHANNEL):
                definitions.append((opcode, bytes(body)))
            elif opcode == CHUNK_INDEX:
                chunk, size, indexes = struct.unpack_from("<QQI", body, 16)
                (index_size,) = struct.unpack_from("<Q", body, 36 + indexes)
                chunks.append((chunk, size, index_size))
        return cls(tuple(definitions), tuple(sorted(chunks)))
