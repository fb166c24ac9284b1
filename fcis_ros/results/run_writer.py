# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writer of the folder of an evaluation; ``run_reader`` describes the files.

The folder is whole up to the last frame at every moment: the entries of a frame are written first, its line of frames.jsonl
last. When a killed evaluation is resumed, everything behind the last whole line is cut off.
"""

import errno
import fcntl
import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from tqdm import tqdm

from fcis_ros.errors import InputError
from fcis_ros.files import atomic_path
from fcis_ros.results.run_reader import (
    COMPLETE,
    FAILED,
    FRAMES,
    HEADS,
    INTERRUPTED,
    LISTS,
    LIVE,
    PICTURES,
    RUN,
    RUNNING,
    TIMING,
    RunReader,
    list_path,
    read_entries,
    whole_lines,
)

PARTIAL = "partial"  # state of merged shards of which some are missing
NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}  # of file systems without locks


class AlreadyComplete(InputError):
    """The folder holds the same evaluation, complete."""


class Busy(InputError):
    """Another process is writing to the folder."""


class RunWriter:
    """Appends frames to the folder of an evaluation, and notes how the evaluation ended: a context manager.

    At the end of the context the lists are completed, and the state is ``complete``; after an ``InputError`` it is ``failed``
    with the text of the error, after any other exception ``interrupted``.

    Attributes:
        path: folder.
        count: number of frames in the folder.

    Args:
        path: folder; one that holds the beginning of the same evaluation is continued.
        spec: JSON description of the evaluation.
        allowed: names of files that may be in the folder already.

    Raises:
        InputError: the folder is not an evaluation, or holds another evaluation or a finished one, or is in use.
    """

    def __init__(self, path: Path, spec: Mapping[str, Any], allowed: Collection[str] = ()):
        self.path = path
        self._spec = json.loads(json.dumps(spec))
        resumed = (path / RUN).is_file()
        if path.exists() and not resumed and not (path.is_dir() and {entry.name for entry in path.iterdir()} <= {*allowed}):
            raise InputError(f"{path}: exists and is no evaluation (no {RUN} in it); choose another folder")
        (path / PICTURES).mkdir(parents=True, exist_ok=True)
        self._lines = (path / FRAMES).open("a+b")
        _lock(self._lines, path)
        if resumed:
            self._require_same()
        self.count = 0
        self._images: list[str] = []  # rows of annotations.json
        self._ends = {name: len(head) for name, head in HEADS.items()}
        self._files = {name: list_path(path, name).open("a+b") for name in LISTS}
        self._missing_shards: str | None = None
        self._recover()
        self._write_state(RUNNING, None)

    def _require_same(self) -> None:
        earlier = RunReader(self.path)
        if earlier.spec != self._spec:
            other = next(key for key in {**earlier.spec, **self._spec} if earlier.spec.get(key) != self._spec.get(key))
            raise InputError(
                f"{self.path}: holds another evaluation ({other}: {_short(earlier.spec.get(other))} in the folder, "
                f"{_short(self._spec.get(other))} now); choose another folder"
            )
        if earlier.state in (COMPLETE, FAILED):
            error = AlreadyComplete if earlier.state == COMPLETE else InputError
            raise error(f"{self.path}: holds this evaluation already, {earlier.state}; choose another folder")

    def _recover(self) -> None:
        whole = 0
        for line, record in whole_lines(self.path, self._spec):
            for name, file in self._files.items():
                read_entries(file, self._ends[name], record["ends"][name])
            whole += len(line)
            self._note(record, record["ends"])
        for name, file in self._files.items():
            if self.count and os.fstat(file.fileno()).st_size < self._ends[name]:
                raise InputError(f"{file.name}: shorter than {FRAMES} says, so it is damaged")
        self._lines.truncate(whole)
        for name, file in self._files.items():
            file.truncate(self._ends[name] if self.count else 0)
            if not self.count:
                file.write(HEADS[name])
                file.flush()  # else a killed run without entries in this list would leave an empty file

    def __enter__(self) -> "RunWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        named = zip(self._spec["category_ids"], self._spec["class_names"], strict=True)
        categories = [{"id": category_id, "name": name} for category_id, name in named]
        images = ",\n".join(self._images)
        tail = f'\n],\n"images": [\n{images}\n],\n"categories": {_json(categories)}}}\n'
        for name, file in self._files.items():
            file.truncate(self._ends[name])  # a frame that could not be written whole
            file.write((tail if name == "annotations" else "\n]\n").encode())
            file.close()
        self._lines.close()
        if isinstance(error, InputError):
            self._write_state(FAILED, str(error))
        elif error is not None:
            self._write_state(INTERRUPTED, None)
        else:
            self._write_state(PARTIAL if self._missing_shards else COMPLETE, self._missing_shards)

    def frames(self) -> Iterator[dict[str, Any]]:
        """Yields the records of the frames that the folder held when the evaluation was resumed."""
        return RunReader(self.path).frames()

    def add(self, record: Mapping[str, Any], entries: Mapping[str, list[dict[str, Any]]]) -> None:
        """Writes a frame.

        Args:
            record: record of the frame, JSON.
            entries: entries of the frame, by name of the list.
        """
        self.append(record, {name: ",\n".join(map(_json, rows)).encode() for name, rows in entries.items()})

    def append(self, record: Mapping[str, Any], entries: Mapping[str, bytes]) -> None:
        """Writes a frame whose entries are JSON already, see ``run_reader.RawFrame``; its field ``ends`` is replaced."""
        ends = dict(self._ends)
        for name, file in self._files.items():
            if text := entries.get(name):
                text = text if ends[name] == len(HEADS[name]) else b",\n" + text
                file.write(text)
                file.flush()
                ends[name] += len(text)
        self._lines.write(_json({**record, "ends": ends}).encode() + b"\n")
        self._lines.flush()
        self._note(record, ends)

    def _note(self, record: Mapping[str, Any], ends: dict[str, int]) -> None:
        self._ends = ends
        self.count += 1
        if record["listed"]:
            image = {"id": record["image_id"], "file_name": record["name"], "height": record["height"]}
            image |= {"width": record["width"], "stamp_ns": record["stamp"], "bag": record["bag"]}
            self._images.append(_json(image))

    def write_live(self, content: Mapping[str, Any]) -> None:
        """Writes live.json."""
        _write_whole(self.path / LIVE, json.dumps(content) + "\n")

    def write_timing(self, content: Mapping[str, Any]) -> None:
        """Writes timing.json."""
        _write_whole(self.path / TIMING, json.dumps(content, indent=1) + "\n")

    def leave_partial(self, reason: str) -> None:
        """Makes ``partial`` the final state of merged shards, for this reason."""
        self._missing_shards = reason

    def _write_state(self, state: str, problem: str | None) -> None:
        content = {"what": self._spec, "state": state, "problem": problem, "frames": self.count}
        _write_whole(self.path / RUN, json.dumps(content, indent=1) + "\n")


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _write_whole(path: Path, text: str) -> None:
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _lock(file: BinaryIO, path: Path) -> None:
    """Keeps other processes from writing to the folder, where the file system has locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(f"{path}: another evaluation is writing to this folder") from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise InputError(f"{file.name}: cannot be locked ({error.strerror})") from None
        text = f"fcis: {path}: its file system has no locks ({error.strerror}); let no other evaluation write to this folder"
        tqdm.write(text, file=sys.stderr)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
