# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Result folders that appear whole or not at all."""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from fcis_ros.errors import InputError

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}  # the disk's fault, not ours


@contextlib.contextmanager
def writable(path: Path) -> Iterator[None]:
    """Says in one line that the disk is full, or whatever else is wrong with it; for work that keeps what it has done."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE | {errno.EACCES, errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EPERM}:
            raise
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


@contextlib.contextmanager
def finished_folder(path: Path, proof: str, log: str | None = None) -> Iterator[Path]:
    """Gives ``PATH.partial`` to fill, and renames it to ``path`` at the end; on an error nothing of it stays but the log.

    At every moment either the earlier result or the new one is whole: in ``path``, or for an instant in ``PATH.old``.

    Args:
        path: the result; an earlier one is replaced.
        proof: file that shows that ``path`` is an earlier result, so that nothing else is ever deleted.
        log: file in the folder that an error moves to ``PATH.LOG``, where the error says that it is.

    Raises:
        InputError: ``path`` exists and is something else, or cannot be written.
    """
    path = path.absolute()
    partial, old = path.with_name(path.name + ".partial"), path.with_name(path.name + ".old")
    kept = path.with_name(f"{path.name}.{log}") if log else None
    for folder in (path, old):
        if folder.exists() and not (folder.is_dir() and ((folder / proof).is_file() or not any(folder.iterdir()))):
            raise InputError(f"{folder}: exists and is not an earlier result (no {proof} in it); choose another folder")
    try:
        if old.exists() and not path.exists():
            old.rename(path)  # a run was killed in that instant
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{partial}: cannot be created ({error.strerror})") from None
    try:
        yield partial
        _replace(path, partial, old)
    except BaseException as error:
        said = _keep(partial / log, kept) if log and isinstance(error, Exception) else ""
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            raise InputError(f"{path}: cannot be written ({error.strerror}){said}") from None
        if isinstance(error, InputError) and said:
            raise InputError(f"{error}{said}") from None
        raise
    if kept:
        kept.unlink(missing_ok=True)  # of an earlier failure


@contextlib.contextmanager
def finished_bag(path: Path) -> Iterator[Path]:
    """``finished_folder`` for a rosbag2 folder, which its writer wants to create itself, under the name that it will have."""
    with finished_folder(path, proof="metadata.yaml") as folder:
        bag = folder / path.absolute().name
        yield bag
        for file in bag.iterdir():
            file.rename(folder / file.name)
        bag.rmdir()


def _replace(path: Path, new: Path, old: Path) -> None:
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _keep(log: Path, kept: Path) -> str:
    if not log.is_file():
        return ""
    with contextlib.suppress(OSError):
        log.replace(kept)
        return f" (log: {kept})"
    return ""
