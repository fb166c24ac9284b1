# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The folder of an evaluation: what was found in each frame, written as it comes, whole up to the last frame at every moment.

- ``run.json``: what is evaluated (nothing else may be added to the folder), and how far that got.
- ``frames.jsonl``: a line per frame, written last; what a killed run left behind the last line is cut off when it goes on.
- ``detections.json``: COCO results of the annotated frames, or of all without annotations; ``unannotated.json``: the others.
- ``annotations.json``: the frames and their objects, so that pycocotools needs nothing but these two files.
- ``pictures``: the frames that a report may show.
- ``live.json``: what was measured of a node that was evaluated live: when frames were sent, answered and dropped.
- ``timing.json``: what the frames took, the only file that is not the same every time.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from fcis_ros.errors import InputError

RUN, FRAMES, PICTURES, TIMING, LIVE = "run.json", "frames.jsonl", "pictures", "timing.json", "live.json"
LISTS = ("detections", "unannotated", "annotations")
HEADS = {"detections": "[\n", "unannotated": "[\n", "annotations": '{"annotations": [\n'}
RUNNING, INTERRUPTED, FAILED, COMPLETE = "running", "interrupted", "failed", "complete"


class AlreadyComplete(InputError):
    """The folder holds the very evaluation that was asked for, complete."""


class Busy(InputError):
    """Somebody else is writing to the folder."""


class RunFolder:
    """Appends to an evaluation's folder.

    Attributes:
        path: the folder.
        count: number of frames that it holds.

    Args:
        path: the folder; one that holds the beginning of the same evaluation is gone on with.
        what: what is evaluated; JSON.
        beside: what may lie in the folder already.

    Raises:
        InputError: the folder is something else, holds another or a finished evaluation, or somebody else is writing to it.
    """

    def __init__(self, path: Path, what: Mapping[str, Any], beside: Collection[str] = ()):
        self.path = path
        self._what = json.loads(json.dumps(what))
        if (
            path.exists()
            and not (path / RUN).is_file()
            and (not path.is_dir() or any(entry.name not in beside for entry in path.iterdir()))
        ):
            raise InputError(f"{path}: exists and is no evaluation (no {RUN} in it); choose another folder")
        (path / PICTURES).mkdir(parents=True, exist_ok=True)
        self._lock = (path / FRAMES).open("a+b")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(f"{path}: another evaluation is writing to this folder") from None
        self._require_same()
        self.count = 0
        self._ends = {name: len(head) for name, head in HEADS.items()}
        self._files = {name: list_path(path, name).open("a+b") for name in LISTS}
        self._recover()
        self.state(RUNNING)

    def _require_same(self) -> None:
        if not (self.path / RUN).is_file():
            return
        earlier = read_run(self.path)
        if earlier["what"] != self._what:
            other = next(key for key in {**earlier["what"], **self._what} if earlier["what"].get(key) != self._what.get(key))
            raise InputError(
                f"{self.path}: holds another evaluation ({other}: {_short(earlier['what'].get(other))} there, "
                f"{_short(self._what.get(other))} here); choose another folder"
            )
        if earlier["state"] in (COMPLETE, FAILED):
            error = AlreadyComplete if earlier["state"] == COMPLETE else InputError
            raise error(f"{self.path}: holds this evaluation already, {earlier['state']}; choose another folder")

    def _recover(self) -> None:
        whole = 0
        for line, frame in lines_of(self.path / FRAMES):
            self._ends, whole = frame["ends"], whole + len(line)
            self.count += 1
        self._lock.truncate(whole)
        for name, file in self._files.items():
            file.truncate(self._ends[name] if self.count else 0)
            if not self.count:
                file.write(HEADS[name].encode())

    def add(self, frame: dict[str, Any], entries: Mapping[str, list[dict[str, Any]]]) -> None:
        """Writes a frame.

        Args:
            frame: its line; JSON.
            entries: what belongs to it in each of ``LISTS``.
        """
        ends = dict(self._ends)
        for name, file in self._files.items():
            if own := entries.get(name):
                first = ends[name] == len(HEADS[name])
                text = (("" if first else ",\n") + _rows(own)).encode()
                file.write(text)
                file.flush()
                ends[name] += len(text)
        self._lock.write(_json({**frame, "ends": ends}).encode() + b"\n")
        self._lock.flush()
        self._ends = ends
        self.count += 1

    def state(self, state: str, problem: str | None = None) -> None:
        """Notes how far the evaluation got."""
        write_aside(self.path / RUN, json.dumps({"what": self._what, "state": state, "problem": problem}, indent=1) + "\n")

    def close(self, categories: list[dict[str, Any]]) -> None:
        """Completes the lists; if the evaluation is gone on with, they are opened again.

        Args:
            categories: of annotations.json.
        """
        images = [image_of(frame) for frame in read_frames(self.path) if frame["listed"]]
        for name, tail in tails(images, categories).items():
            file = self._files[name]
            file.truncate(self._ends[name])  # a frame that could not be written whole
            file.write(tail.encode())
            file.close()
        self._lock.close()


def tails(images: list[dict[str, Any]], categories: list[dict[str, Any]]) -> dict[str, str]:
    """What completes each of the lists."""
    tail = f'\n],\n"images": [\n{_rows(images)}\n],\n"categories": {_json(categories)}}}\n'
    return {name: "\n]\n" for name in LISTS} | {"annotations": tail}


def image_of(frame: dict[str, Any]) -> dict[str, Any]:
    """A frame as an image of annotations.json."""
    kept = {"id": frame["image_id"], "file_name": frame["name"], "height": frame["height"], "width": frame["width"]}
    return {**kept, "stamp_ns": frame["stamp"], "bag": frame["bag"]}


def list_path(folder: Path, name: str) -> Path:
    """Where one of ``LISTS`` lies."""
    return folder / f"{name}.json"


def between(file: BinaryIO, begin: int, end: int) -> bytes:
    """The entries of a frame in one of ``LISTS``, from the end of those before it to their own: JSON with commas between."""
    if begin == end:
        return b""
    file.seek(begin)
    text = file.read(end - begin)
    return text[2:] if text.startswith(b",\n") else text


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _rows(entries: list[dict[str, Any]]) -> str:
    return ",\n".join(map(_json, entries))


def write_aside(path: Path, text: str) -> None:
    """Writes a file, aside first, so that it is there whole or as it was."""
    aside = path.with_name(path.name + ".partial")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


def read_run(path: Path) -> dict[str, Any]:
    """The content of an evaluation's run.json.

    Raises:
        InputError: it has none, or one that is not ours.
    """
    try:
        content = json.loads((path / RUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no evaluation (no {RUN} in it)") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path / RUN}: cannot be read ({error})") from None
    if not isinstance(content, dict) or not {"what", "state", "problem"} <= content.keys():
        raise InputError(f"{path / RUN}: not the {RUN} of an evaluation")
    return content


def read_frames(path: Path) -> Iterator[dict[str, Any]]:
    """The frames of an evaluation, in order, as far as they were written whole."""
    for _, frame in lines_of(path / FRAMES):
        yield frame


def lines_of(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Every whole line of frames.jsonl, and the frame that it is.

    Raises:
        InputError: a line is damaged.
    """
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            yield line, json.loads(line)
        except ValueError:
            raise InputError(f"{path}: line {number} is damaged") from None


def whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, without one that was not written to its end."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        yield from (line for line in file if line.endswith(b"\n"))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
