# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recordings and annotation files by path, or by URL of any protocol that fsspec has a driver for (s3://, gs://, https:// ...).

A URL is downloaded completely to a temporary folder before it is read, because readers seek in it and SQLite needs a file; the
folder is deleted with the object that holds it, or with the process. fsspec's ``simplecache`` gives single files, under hashed
names; a recording needs the files of a folder, with their names, which order them.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fcis_ros.bags.bag_folder import METADATA
from fcis_ros.bags.sqlite_reader import LOG_SUFFIXES
from fcis_ros.data.frame_sources import bag_suffix
from fcis_ros.errors import InputError, reason_of


@dataclass(frozen=True)
class RemoteFile:
    """A file or folder that is read, downloaded if it was given by URL.

    Attributes:
        path: local path.
        origin: path or URL that the user gave; results and messages name it.
        folder: temporary folder of the download; None for a path.
    """

    path: Path
    origin: Path | str
    folder: tempfile.TemporaryDirectory | None = None

    @contextlib.contextmanager
    def errors_with_url(self) -> Iterator[None]:
        """Makes errors name the URL instead of the path of the download."""
        try:
            yield
        except InputError as error:
            if not self.folder:
                raise
            raise type(error)(str(error).replace(str(self.path), str(self.origin).rstrip("/"))) from None


def is_url(given: Path | str) -> bool:
    """Returns whether a text is a URL; False for a ``Path``."""
    return isinstance(given, str) and "://" in given


def fetch(given: Path | str, recording: bool) -> RemoteFile:
    """Downloads a URL; leaves a path as it is.

    Args:
        given: path or URL.
        recording: whether it may be a folder, whose files of a recording are downloaded.

    Raises:
        InputError: no such file, not reachable, or no driver for the URL's protocol.
    """
    if not is_url(given):
        return RemoteFile(Path(given), Path(given))
    folder = tempfile.TemporaryDirectory(prefix="fcis_fetched_")
    try:
        return RemoteFile(_download(str(given), recording, Path(folder.name)), given, folder)
    except FileNotFoundError:
        raise InputError(f"{given}: no such {'recording' if recording else 'file'}") from None
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (every driver has different ones)
        raise InputError(f"{given}: cannot be fetched ({reason_of(error)})") from None


def _download(url: str, recording: bool, folder: Path) -> Path:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise InputError(f"{url}: a URL needs fsspec (pip install fsspec, and its driver for the protocol)") from None
    system, root = url_to_fs(url)
    target = folder / (PurePosixPath(root.rstrip("/")).name or "fetched")
    if not recording or (bag_suffix(root) and system.isfile(root)):
        system.get_file(root, str(target))
        for suffix in LOG_SUFFIXES:
            if target.suffix == ".db3" and system.exists(root + suffix):
                system.get_file(root + suffix, f"{target}{suffix}")
        return target
    target.mkdir()
    for file in system.ls(root, detail=False):
        name = file.rpartition("/")[2]
        if name == METADATA or bag_suffix(name) or name.endswith(tuple(f".db3{suffix}" for suffix in LOG_SUFFIXES)):
            system.get_file(file, str(target / name))
    return target
