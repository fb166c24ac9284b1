# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""MXNet's ``.params``, a dictionary of arrays in one binary file, read without MXNet.

All formats that MXNet 1.9.1 reads (its ``src/ndarray/ndarray.cc``), little-endian::

    file    = uint64 0x112, uint64 reserved, uint64 count, arrays, uint64 count, names
    array   = uint32 0xF993FAC9, int32 storage (0: dense), shape, context, int32 dtype, values      MXNet 0.11 to 1.9
            | uint32 0xF993FACA, the same                        written under NumPy's shape rules: no dimensions, one value
            | uint32 0xF993FAC8, shape, context, int32 dtype, values                                             before 0.11
            | uint32 dimensions, as many uint32, context, int32 dtype, values                                      the first
    shape   = int32 dimensions, as many int64
    context = int32 kind and int32 number of the device that held the array; ignored
    name    = uint64 length, as many bytes of UTF-8

Every length in the file is compared with the rest of the file before it is used. The file is mapped: values are read on
demand.
"""

import math
import mmap
import struct
from pathlib import Path

import numpy as np

from fcis_ros.errors import InputError
from fcis_ros.model.weights_import.stored_array import MAX_ARRAYS, MAX_DIMENSIONS, StoredArray, add

LIST_MAGIC = 0x112
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
DTYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8", 7: "?"}
BFLOAT16 = 12  # the upper half of a float32


def read(path: str | Path) -> dict[str, StoredArray]:
    """Returns the arrays of a ``.params`` file by name, without the prefix ``arg:`` or ``aux:``.

    Raises:
        InputError: the file is missing, empty, truncated, damaged, of another format, or holds sparse arrays, arrays without
            values or names, or two arrays of one name.
    """
    try:
        with open(path, "rb") as file:
            contents = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or 'an empty file'}") from None
    cursor = _Cursor(path, contents)
    if cursor.integer("<Q", "its first number") != LIST_MAGIC:
        raise InputError(f"{path}: not an MXNet .params file (it does not start with 0x112)")
    cursor.integer("<Q", "its header")
    count = cursor.count("arrays")
    arrays = [_array(cursor, f"array {number} of {count}") for number in range(1, count + 1)]
    if (named := cursor.count("names")) != count:
        raise InputError(f"{path}: {count} arrays, but {named} names")
    named_arrays: dict[str, StoredArray] = {}
    for number, array in enumerate(arrays, 1):
        add(named_arrays, path, _name(cursor, f"name {number} of {count}"), array)
    if cursor.left:
        raise InputError(f"{path}: {cursor.left} bytes too many after the last name")
    return named_arrays


class _Cursor:
    """A reading position in the file."""

    def __init__(self, path: str | Path, contents: mmap.mmap):
        self.path, self.contents, self.offset = path, contents, 0

    @property
    def left(self) -> int:
        return len(self.contents) - self.offset

    def skip(self, size: int, what: str) -> int:
        """Skips ``size`` bytes and returns the offset of the first one."""
        if size > self.left:
            raise InputError(f"{self.path}: {what} needs {size} bytes where {self.left} are left; truncated or damaged")
        self.offset += size
        return self.offset - size

    def integers(self, layout: str, what: str) -> tuple[int, ...]:
        return struct.unpack_from(layout, self.contents, self.skip(struct.calcsize(layout), what))

    def integer(self, layout: str, what: str) -> int:
        return self.integers(layout, what)[0]

    def count(self, what: str) -> int:
        count = self.integer("<Q", f"the number of {what}")
        if count > MAX_ARRAYS:
            raise InputError(f"{self.path}: {count} {what}, {MAX_ARRAYS} at most can be right")
        return count


def _array(cursor: _Cursor, what: str) -> StoredArray:
    def wrong(problem: str) -> InputError:
        return InputError(f"{cursor.path}: {what} {problem}")

    magic = cursor.integer("<I", what)
    if magic in (V2, V3) and (storage := cursor.integer("<i", what)) != 0:
        raise wrong("is sparse, weights are dense" if storage in (1, 2) else f"has the unknown storage type {storage}")
    newer = magic in (V1, V2, V3)
    dimensions = cursor.integer("<i", what) if newer else magic
    if dimensions > MAX_DIMENSIONS:
        raise wrong(f"has {dimensions} dimensions, {MAX_DIMENSIONS} at most can be right")
    if dimensions < 0 or (dimensions == 0 and magic != V3):
        raise wrong("has no values")
    shape = cursor.integers(f"<{dimensions}{'q' if newer else 'I'}", what)
    if min(shape, default=0) < 0:
        raise wrong(f"has the shape {list(shape)}")
    _, _, code = cursor.integers("<3i", what)
    if code not in DTYPES and code != BFLOAT16:
        raise wrong(f"has the unknown type {code}")
    dtype = np.dtype(DTYPES.get(code, "<u2"))
    size = math.prod(shape)
    start = cursor.skip(size * dtype.itemsize, f"{what}, of shape {list(shape)},")

    def load() -> np.ndarray:
        values = np.frombuffer(cursor.contents, dtype, size, start).reshape(shape)
        return (values.astype("<u4") << 16).view("<f4") if code == BFLOAT16 else values

    return StoredArray(shape, "bfloat16" if code == BFLOAT16 else dtype.name, load)


def _name(cursor: _Cursor, what: str) -> str:
    length = cursor.integer("<Q", what)
    start = cursor.skip(length, what)
    try:
        name = cursor.contents[start : start + length].decode()
    except UnicodeDecodeError:
        raise InputError(f"{cursor.path}: {what} is not UTF-8") from None
    kind, _, rest = name.partition(":")
    return rest if kind in ("arg", "aux") else name
