# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""NumPy's ``.npz``, a zip archive of arrays, read without unpickling, each array on demand."""

import io
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from fcis_ros.errors import InputError
from fcis_ros.model.weights_import.stored_array import MAX_ARRAYS, MAX_DIMENSIONS, StoredArray, add, quoted

UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, NotImplementedError)


def read(path: str | Path) -> dict[str, StoredArray]:
    """Returns the arrays of an ``.npz`` file by name.

    Raises:
        InputError: the file is missing, truncated, damaged or holds anything but arrays.
    """
    try:
        archive = zipfile.ZipFile(path)
        members = archive.infolist()
    except UNREADABLE as error:
        raise InputError(f"{path}: not a readable .npz file ({error})") from None
    if len(members) > MAX_ARRAYS:
        raise InputError(f"{path}: {len(members)} arrays, {MAX_ARRAYS} at most can be right")
    arrays: dict[str, StoredArray] = {}
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name == member.filename:
            advice = "; this is a file of PyTorch, whose pickles are never read: save it as .safetensors"
            raise InputError(f"{path}: {quoted(name)} in it is not an array{advice if name.endswith('.pkl') else ''}")
        add(arrays, path, name, _array(path, archive, member))
    return arrays


def _array(path: str | Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> StoredArray:
    what = f"{path}: array {quoted(member.filename.removesuffix('.npy'))}"
    try:
        with archive.open(member) as file:
            header = io.BytesIO(file.read(10 + 0xFFFF))  # as long as one of version 1.0 can be
        if np.lib.format.read_magic(header) != (1, 0):
            raise ValueError("its header is not of version 1.0")
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(header)
    except UNREADABLE as error:
        raise InputError(f"{what} is damaged ({quoted(str(error))})") from None
    if len(shape) > MAX_DIMENSIONS:
        raise InputError(f"{what} has {len(shape)} dimensions, {MAX_DIMENSIONS} at most can be right")
    start, size = header.tell(), math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or (start + size != member.file_size and not dtype.hasobject):
        raise InputError(f"{what}, of shape {list(shape)}, needs {size} bytes and has {member.file_size - start}")

    def load() -> np.ndarray:
        try:
            with archive.open(member) as file:
                values = file.read()[start:]
            return np.frombuffer(values, dtype).reshape(shape, order="F" if by_columns else "C")
        except UNREADABLE as error:
            raise InputError(f"{what} is damaged ({quoted(str(error))})") from None

    return StoredArray(shape, dtype.name, load)
