# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checksums are added to MCAP files, and damage is found and located."""

import struct

import pytest

from fcis_ros.bags.mcap_integrity import CHECKSUM, HEAD, MAGIC, add_checksums
from fcis_ros.bags.mcap_reader import McapReader
from fcis_ros.errors import InputError


@pytest.fixture
def storage(bags):
    return bags.camera(300) / "bag.mcap"


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


@pytest.mark.parametrize(
    ("offset", "value", "problem"),
    [
        pytest.param(1, (2**60).to_bytes(8, "little"), "a record that does not end within the file", id="length"),
        pytest.param(HEAD + 16, (2**45).to_bytes(8, "little"), "a chunk whose sizes disagree", id="decompressed size"),
        pytest.param(
            HEAD + 16, struct.pack("<QIIQ", 1000, 0, 0, 1000), "a chunk whose sizes disagree", id="both sizes, not the length"
        ),
        pytest.param(0, b"\0", "a record with the invalid opcode 0", id="opcode"),
    ],
)
def test_damage_overwritten_chunk_header_is_located(storage, offset, value, problem):
    data = bytearray(storage.read_bytes())
    chunk = first_chunk(data)
    data[chunk + offset : chunk + offset + len(value)] = value
    storage.write_bytes(data)
    assert McapReader(storage).damage == f"{storage}: damaged at byte {chunk}: {problem}"


def test_messages_flipped_byte_is_located_by_the_checksum(storage):
    data = bytearray(storage.read_bytes())
    chunk = first_chunk(data)
    data[chunk + 5000] ^= 4
    storage.write_bytes(data)
    reader = McapReader(storage)
    assert reader.damage is None
    with pytest.raises(InputError, match=f"damaged at byte {chunk}: a chunk does not have its checksum"):
        list(reader.messages(reader.channels))


def test_damage_wrong_checksum_of_the_index_is_located(storage):
    data = bytearray(storage.read_bytes())
    data[-len(MAGIC) - 4] ^= 1  # the footer's last field
    storage.write_bytes(data)
    assert McapReader(storage).damage.endswith("the index does not have its checksum")
