# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The walk over an MCAP file finds what is wrong and where."""

import struct

import pytest

from fcis_ros.bags.mcap_integrity import CHUNK, MAGIC, add_sums, check
from fcis_ros.errors import InputError


@pytest.fixture
def storage(bags):
    return bags.camera(300) / "bag.mcap"


def first_chunk(data: bytes) -> int:
    """By its record's length: the header comes first."""
    return len(MAGIC) + 9 + int.from_bytes(data[9:17], "little")


def test_whole_file(storage):
    check(storage)
    check(storage, sums=True)
    data = storage.read_bytes()
    place = first_chunk(data)
    assert data[place] == CHUNK and struct.unpack_from("<I", data, place + 9 + 24)[0] != 0


def test_sums_are_added_where_there_are_none(bags):
    storage = bags.camera(3, sums=False) / "bag.mcap"
    before = storage.read_bytes()
    add_sums(storage)
    changed = [i for i, (a, b) in enumerate(zip(before, storage.read_bytes(), strict=True)) if a != b]
    place = first_chunk(before) + 9 + 24
    assert changed and set(changed) <= set(range(place, place + 4))


def test_cut_off(storage):
    data = storage.read_bytes()
    storage.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=rf"bag.mcap: cut off after {len(data) // 2} bytes"):
        check(storage)


def test_length_that_leaves_the_file(storage):
    data = bytearray(storage.read_bytes())
    place = first_chunk(data)
    data[place + 1 : place + 9] = (2**60).to_bytes(8, "little")
    storage.write_bytes(data)
    with pytest.raises(InputError, match=f"damaged at byte {place}: a record that does not end within the file"):
        check(storage)


def test_chunk_that_would_fill_the_memory(storage):
    data = bytearray(storage.read_bytes())
    place = first_chunk(data)
    data[place + 9 + 16 : place + 9 + 24] = (2**45).to_bytes(8, "little")
    storage.write_bytes(data)
    with pytest.raises(InputError, match=f"damaged at byte {place}: a chunk"):
        check(storage)


def test_flipped_byte(storage):
    data = bytearray(storage.read_bytes())
    place = first_chunk(data)
    data[place + 5000] ^= 4
    storage.write_bytes(data)
    check(storage)
    with pytest.raises(InputError, match=f"damaged at byte {place}: a chunk does not have its checksum"):
        check(storage, sums=True)
