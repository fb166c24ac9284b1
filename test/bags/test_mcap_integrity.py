# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checksums are added to MCAP files, and damage to their structure is located."""

import struct

import pytest

from fcis_ros.bags.mcap_integrity import CHECKSUM, HEAD, MAGIC, add_checksums
from fcis_ros.bags.mcap_reader import McapReader


def first_chunk(data: bytes) -> int:
    """Offset of the record that follows the file's header."""
    return len(MAGIC) + HEAD + int.from_bytes(data[9:17], "little")


def test_add_checksums_fills_in_those_of_chunks_only(bags):
    storage = bags.camera(3, sums=False) / "bag.mcap"
    before = storage.read_bytes()
    add_checksums(storage)
    changed = [i for i, (a, b) in enumerate(zip(before, storage.read_bytes(), strict=True)) if a != b]
    offset = first_chunk(before) + CHECKSUM
    assert changed and set(changed) <= set(range(offset, offset + 4))
    assert McapReader(storage).damage is None


FOOTER = -len(MAGIC) - HEAD - 20  # from the end of the file


@pytest.mark.parametrize(
    ("offset", "value", "problem"),
    [
        pytest.param(1, (2**60).to_bytes(8, "little"), "a record that does not end within the file", id="length"),
        pytest.param(HEAD + 16, (2**45).to_bytes(8, "little"), "a chunk whose sizes disagree", id="decompressed size"),
        pytest.param(HEAD + 16, struct.pack("<QIIQ", 1000, 0, 0, 1000), "a chunk whose sizes disagree", id="both sizes"),
        pytest.param(0, b"\0", "a record with the invalid opcode 0", id="opcode"),
        pytest.param(FOOTER + 25, b"\1\2\3\4", "the index does not have its checksum", id="index checksum"),
        pytest.param(FOOTER + HEAD, struct.pack("<QQI", 1, 0, 1), "the index is not where the footer says", id="index offset"),
    ],
)
def test_damage_overwritten_record_is_located(bags, offset, value, problem):
    storage = bags.camera(300) / "bag.mcap"
    data = bytearray(storage.read_bytes())
    record = first_chunk(data) if offset >= 0 else len(data) + FOOTER
    start = record + offset if offset >= 0 else len(data) + offset
    data[start : start + len(value)] = value
    storage.write_bytes(data)
    assert McapReader(storage).damage == f"damaged at byte {record}: {problem}"
