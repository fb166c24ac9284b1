# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Files and messages of recordings that are compressed as a whole (Zstandard)."""

import contextlib
import errno
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fcis_ros.data.frame_sources import COMPRESSED_SUFFIXES
from fcis_ros.errors import InputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    try:
        from backports import zstd
    except ImportError:  # rosbags up to 0.11.8 brings this one
        import zstandard as zstd  # type: ignore[no-redef]

BLOCK = 1 << 20  # bytes
ZSTD = b"\x28\xb5\x2f\xfd"
LARGEST_MESSAGE = 2**30  # bytes that a compressed message may grow to


def is_packed(path: Path) -> bool:
    """Returns whether a file of a recording is compressed as a whole, by its name."""
    return path.suffix.lower() in COMPRESSED_SUFFIXES


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Makes a folder for copies of a recording's files, which is removed at the end.

    Raises:
        InputError: it has no room for them.
    """
    with tempfile.TemporaryDirectory(prefix="fcis_bag_") as folder:
        try:
            yield Path(folder)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            text = f"no room for a copy in the temporary folder {Path(folder).parent}; TMPDIR chooses another one"
            raise InputError(text) from None


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[tuple[Path, str | None]]:
    """Yields the path of a file, or of its decompressed content in a temporary folder, and what is wrong with the compression.

    Of a file that is cut off, what was decompressed before is kept.
    """
    if not is_packed(path):
        yield path, None
        return
    with temporary_folder() as folder:
        plain = folder / path.name.removesuffix(path.suffix)
        yield plain, _unpack(path, plain)


def _unpack(path: Path, plain: Path) -> str | None:
    with plain.open("wb") as file:
        try:
            with zstd.open(path, "rb") as packed:
                while block := packed.read1(BLOCK):  # not read: that forgets what came before an error
                    file.write(block)
        except (zstd.ZstdError, EOFError) as error:
            return f"damaged: its compressed data end after {file.tell()} decompressed bytes ({error})"
    return None


def decompressed(raw: bytes | memoryview) -> bytes | memoryview:
    """Decompresses a message that rosbag2 compressed; an uncompressed one begins with its byte order, 0 or 1.

    Raises:
        InputError: the compressed message is damaged.
    """
    if raw[:4] != ZSTD:
        return raw
    try:
        with zstd.open(io.BytesIO(raw), "rb") as unpacking:
            content = unpacking.read(LARGEST_MESSAGE + 1)
        if len(content) > LARGEST_MESSAGE:
            raise ValueError("larger than a message may be")
    except (zstd.ZstdError, EOFError, ValueError) as error:
        raise InputError(f"damaged ({error})") from None
    return content
