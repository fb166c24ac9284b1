# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The files of a recording, and one reader for each storage format, MCAP or SQLite."""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePath

from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader
from ruamel.yaml import YAML

from fcis_ros.bags.mcap_reader import McapReader
from fcis_ros.data.frame_sources import BAG_SUFFIXES, natural_key
from fcis_ros.errors import InputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    try:
        from backports import zstd
    except ImportError:  # rosbags up to 0.11.8 brings this one
        import zstandard as zstd  # type: ignore[no-redef]

COMPRESSED_SUFFIX, METADATA = ".zstd", "metadata.yaml"


def storage_files(path: Path) -> list[Path]:
    """Returns the files of a recording, in order of time.

    Raises:
        InputError: not a recording, or its metadata.yaml is damaged or names files that do not exist.
    """
    if not path.exists():
        raise InputError(f"{path}: no such recording")
    if not path.is_dir():
        return [path]
    metadata = path / METADATA
    if not metadata.is_file():
        files = sorted((file for file in path.iterdir() if bag_suffix(file.name)), key=natural_key)
        if not files:
            raise InputError(f"{path}: not a rosbag2 folder, it has no metadata.yaml and no {' or '.join(BAG_SUFFIXES)} file")
        return files
    with refusing(path, "not a readable rosbag2 folder"):
        content = YAML(typ="safe").load(metadata.read_text(encoding="utf-8"))
        names = [PurePath(str(name)).name for name in content["rosbag2_bagfile_information"]["relative_file_paths"]]
    files = [path / name for name in names]
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise InputError(f"{path}: not a readable rosbag2 folder (files are missing: {', '.join(missing)[:200]})")
    return files


def bag_suffix(name: str) -> str:
    """Returns the suffix of a recording's file, without that of compression; empty for other files."""
    suffix = PurePath(name.removesuffix(COMPRESSED_SUFFIX)).suffix
    return suffix if suffix in BAG_SUFFIXES else ""


class SqliteReader:
    """Reads one SQLite file, with the interface of ``McapReader``."""

    damage = None

    def __init__(self, origin: Path, path: Path, folder: tempfile.TemporaryDirectory | None):
        self.origin, self._path, self._folder = origin, path, folder
        with self._reader() as reader:
            self._topics = [(each.topic, each.msgtype, int(each.msgcount)) for each in reader.connections]

    @contextlib.contextmanager
    def _reader(self) -> Iterator[Sqlite3Reader]:
        reader = Sqlite3Reader(self._path)
        reader.open()
        try:
            yield reader
        finally:
            reader.close()

    def topics(self) -> list[tuple[str, str, int]]:
        """Returns what ``McapReader.topics`` returns."""
        return self._topics

    def messages(self, kinds: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, int, bytes]]:
        """Yields what ``McapReader.messages`` yields."""
        number = 0
        try:
            with self._reader() as reader:
                wanted = [each for each in reader.connections if each.msgtype in kinds.get(each.topic, ())]
                for connection, time, raw in reader.messages(wanted) if wanted else ():
                    yield connection.topic, connection.msgtype, int(time), bytes(raw)
                    number += 1
        except Exception as error:  # noqa: BLE001 (SQLite's, and what rosbags makes of odd values)
            raise InputError(f"{self.origin}: damaged behind message {number} ({_line(error)})") from None


Storage = McapReader | SqliteReader


def open_storage(path: Path) -> Storage:
    """Opens one file.

    Raises:
        InputError: not a file of a recording, or not readable at all.
    """
    kind = bag_suffix(path.name)
    if not kind:
        raise InputError(f"{path}: not a readable rosbag2 folder or file (its suffix is not {' or '.join(BAG_SUFFIXES)})")
    unpacked, folder = path, None
    if path.name.endswith(COMPRESSED_SUFFIX):
        folder = tempfile.TemporaryDirectory(prefix="fcis_bag_")
        unpacked = Path(folder.name, path.name.removesuffix(COMPRESSED_SUFFIX))
        with refusing(path, "damaged"), zstd.open(path, "rb") as packed, unpacked.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    with refusing(path, "not a readable rosbag2 folder or file"):
        return (McapReader if kind == ".mcap" else SqliteReader)(path, unpacked, folder)


@contextlib.contextmanager
def refusing(name: Path | str, problem: str) -> Iterator[None]:
    """Turns any exception of a library over damaged bytes into an InputError of one line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (rosbags, YAML, SQLite, zstd, lz4 and NumPy have different ones)
        raise InputError(f"{name}: {problem} ({_line(error)})") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
