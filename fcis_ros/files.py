# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Helpers for files of any kind."""

import hashlib
from pathlib import Path

from fcis_ros.errors import InputError

CHUNK = 1 << 20  # bytes read at a time


def file_digest(path: Path | str) -> str:
    """SHA-256 of a file, in hexadecimal; the file is read in chunks, as it may be larger than the memory.

    Raises:
        InputError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()
