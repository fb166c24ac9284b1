# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Atomic writes and content digests of files of any kind."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fcis_ros.errors import InputError

CHUNK = 1 << 20  # bytes read at a time
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}  # errors of the disk


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Replaces a file only once its new content is complete and on the disk; after an error it is as it was before.

    Args:
        path: the file to create or to replace, in an existing folder.

    Yields:
        The temporary file next to it to write to, with the same suffix; closed again by the end of the block.

    Raises:
        OSError: the file cannot be synchronised or renamed.
    """
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")  # hidden, so that it is no file of the user's
    try:
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turns errors of a full or unwritable disk into an InputError, for work that keeps its results so far."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE | {errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EPERM}:
            raise
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def sha256(path: Path | str) -> str:
    """Returns the SHA-256 of a file in hexadecimal; the file is read in chunks, as it may be larger than the memory.

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
