# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The files of a recording: those that its metadata.yaml lists, and those that lie in its folder."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from ruamel.yaml import YAML

from fcis_ros.data.frame_sources import BAG_SUFFIXES, COMPRESSED_SUFFIXES, bag_suffix, is_bag, natural_key
from fcis_ros.errors import InputError, reason_of
from fcis_ros.findings import Finding, listing, source_of

METADATA = "metadata.yaml"


@dataclass(frozen=True)
class BagFile:
    """A file of a recording.

    Attributes:
        path: path of the file, which may be missing.
        listed: whether metadata.yaml names it.
        messages: number of its messages by metadata.yaml; None if unknown.
    """

    path: Path
    listed: bool = False
    messages: int | None = None


def plain_name(name: str) -> str:
    """Returns the name of a recording's file without the suffix of compression."""
    suffix = next((suffix for suffix in COMPRESSED_SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def bag_files(path: Path) -> tuple[list[BagFile], list[Finding]]:
    """Returns the files of a recording, in order of time, and what is odd about its metadata.yaml.

    A file that metadata.yaml names is taken as it lies in the folder, compressed or not. Files that it does not name come last.

    Raises:
        InputError: not a recording.
    """
    if not path.exists():
        raise InputError(f"{path}: no such recording")
    if not path.is_dir():
        return [BagFile(path)], []
    try:
        inside = sorted((file for file in path.iterdir() if bag_suffix(file.name) and file.is_file()), key=natural_key)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    metadata = path / METADATA
    if not metadata.is_file():
        if not inside:
            raise InputError(f"{path}: not a rosbag2 folder, it has no {METADATA} and no {' or '.join(BAG_SUFFIXES)} file")
        return [BagFile(file) for file in inside], _unread_folders(path)
    try:
        listed = _listed(metadata)
    except Exception as error:  # noqa: BLE001 (YAML's, and what odd values make of the rest)
        reason = reason_of(error)
        if not inside:
            raise InputError(f"{path}: not a readable rosbag2 folder ({METADATA}: {reason})") from None
        text = f"cannot be read ({reason}); the {len(inside)} files of the folder are read without it"
        return [BagFile(file) for file in inside], [Finding(_title(path), text, lost=False)]
    files = [_as_stored(path, name, messages) for name, messages in listed.items()]
    others = [BagFile(file) for file in inside if file not in {each.path for each in files}]
    if others and not any(file.path.is_file() for file in files):
        text = f"names {listing(listed)}, but the folder has {listing(file.path.name for file in others)}: these are read"
        return others, [Finding(_title(path), text, lost=len(others) < len(files))]
    return files + others, []


def _unread_folders(path: Path) -> list[Finding]:
    """Returns a remark if folders in a folder of loose files are recordings, too."""
    names = []
    for folder in sorted(path.iterdir()):
        with contextlib.suppress(OSError):  # of a folder that cannot be listed
            names += [folder.name] if folder.is_dir() and is_bag(folder) else []
    text = f"its files are read as one recording; the recordings in its folders are not: {listing(names)}"
    return [Finding(source_of(path), text, lost=False)] if names else []


def _title(path: Path) -> str:
    return f"{source_of(path)}/{METADATA}"


def _listed(metadata: Path) -> dict[str, int | None]:
    """Returns {name: number of messages} of the files that metadata.yaml names."""
    text = metadata.read_text(encoding="utf-8-sig")
    if not text.strip():
        raise InputError("an empty file")
    content = YAML(typ="safe").load(text)
    about = content.get("rosbag2_bagfile_information") if isinstance(content, Mapping) else None
    if not isinstance(about, Mapping) or not isinstance(about.get("relative_file_paths"), list):
        raise InputError("no relative_file_paths of rosbag2_bagfile_information in it")
    counts = {_name(file["path"]): file.get("message_count") for file in about.get("files") or () if isinstance(file, Mapping)}
    names = [_name(file) for file in about["relative_file_paths"]]
    if not names:
        raise InputError("it names no files")
    whole = about.get("message_count") if len(names) == 1 else None
    known = {name: counts.get(name, whole) for name in names}
    return {name: count if isinstance(count, int) else None for name, count in known.items()}


def _name(path: Any) -> str:
    """Returns the name of a file from a path of Linux or Windows."""
    name = PureWindowsPath(str(path)).name
    if "\0" in name or not name:
        raise InputError("it names a file without a name")
    return name


def _as_stored(folder: Path, name: str, messages: int | None) -> BagFile:
    plain = plain_name(name)
    names = [name, plain, *(plain + suffix for suffix in COMPRESSED_SUFFIXES)]
    there = next((folder / each for each in names if (folder / each).is_file()), folder / name)
    return BagFile(there, True, messages)
