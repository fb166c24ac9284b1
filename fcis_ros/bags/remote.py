# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where recordings and annotations lie: a path, or a URL of whatever fsspec has a driver for (s3://, gs://, https:// ...).

What a URL names is fetched whole to a temporary folder before it is read, because readers seek in it and SQLite wants a file;
the folder goes with the object that holds it, or with the process.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fcis_ros.bags.storage import METADATA, bag_suffix
from fcis_ros.errors import InputError


@dataclass(frozen=True)
class RemoteFile:
    """Something to read.

    Attributes:
        path: where it lies on this machine.
        shown: what the user calls it; results and messages name it so.
        folder: holds what was fetched; None for a path.
    """

    path: Path
    shown: Path | str
    folder: tempfile.TemporaryDirectory | None = None

    @contextlib.contextmanager
    def naming(self) -> Iterator[None]:
        """Errors name what the user knows, and not where it was fetched to."""
        try:
            yield
        except InputError as error:
            if not self.folder:
                raise
            raise type(error)(str(error).replace(str(self.path), str(self.shown).rstrip("/"))) from None


def is_url(place: Path | str) -> bool:
    """Whether a text is a URL; a ``Path`` is none."""
    return isinstance(place, str) and "://" in place


def place_of(given: Path | str, recording: bool) -> RemoteFile:
    """Fetches what a URL names; a path is left as it is.

    Args:
        given: path or URL.
        recording: whether it may be a folder, of which the files of a recording are fetched.

    Raises:
        InputError: there is nothing of that name, it cannot be reached, or nothing here knows the URL's protocol.
    """
    if not is_url(given):
        return RemoteFile(Path(given), Path(given))
    folder = tempfile.TemporaryDirectory(prefix="fcis_fetched_")
    try:
        return RemoteFile(_fetched(given, recording, Path(folder.name)), given, folder)
    except FileNotFoundError:
        raise InputError(f"{given}: no such {'recording' if recording else 'file'}") from None
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (every driver has its own)
        raise InputError(f"{given}: cannot be fetched ({' '.join(str(error).split())[:300] or type(error).__name__})") from None


def _fetched(url: str, recording: bool, folder: Path) -> Path:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise InputError(f"{url}: a URL needs fsspec (pip install fsspec, and its driver for the protocol)") from None
    system, root = url_to_fs(url)
    target = folder / (PurePosixPath(root.rstrip("/")).name or "fetched")
    if not recording or (bag_suffix(root) and system.isfile(root)):
        system.get_file(root, str(target))
        return target
    target.mkdir()
    for file in system.ls(root, detail=False):
        name = file.rpartition("/")[2]
        if name == METADATA or bag_suffix(name):
            system.get_file(file, str(target / name))
    return target
