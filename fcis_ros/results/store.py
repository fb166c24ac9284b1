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
import errno
import fcntl
import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from fcis_ros.errors import InputError
from fcis_ros.results.frame_record import is_frame
from fcis_ros.results.json_shapes import fits

RUN, FRAMES, PICTURES, TIMING, LIVE = "run.json", "frames.jsonl", "pictures", "timing.json", "live.json"
LISTS = ("detections", "unannotated", "annotations")
HEADS = {"detections": "[\n", "unannotated": "[\n", "annotations": '{"annotations": [\n'}
RUNNING, INTERRUPTED, FAILED, COMPLETE = "running", "interrupted", "failed", "complete"
NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}  # of file systems that have none
MAX_PARTS = 1_000_000
RUN_SHAPE = {
    "what": {
        "mode": str, "bags": [{"path": str, "topic": str, "messages": int}], "shard": [int], "class_names": [str],
        "category_ids": [int], "score_floor": float, "score": float, "device": str, "precision": str,
        "model": {"name": str, "sha256": str}, "truth": ({"matched_by": str}, None),
    },
    "state": str, "problem": (str, None), "frames": int,
}  # fmt: skip
LIVE_SHAPE = {
    "rate": (float, None), "seconds": float, "sent": [float], "latency_ms": [(float, None)], "stage_ms": dict, "dropped": dict
}  # fmt: skip
TIMING_SHAPE = {"frames": int, "seconds": float}


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
        _lock(self._lock, path)
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
        for line, frame in lines_of(self.path, self._what):
            for name, file in self._files.items():
                _between(file, self._ends[name], frame["ends"][name])
            self._ends, whole = frame["ends"], whole + len(line)
            self.count += 1
        for name, file in self._files.items():
            if self.count and os.fstat(file.fileno()).st_size < self._ends[name]:
                raise InputError(f"{file.name}: shorter than {FRAMES} says, so it is damaged")
        self._lock.truncate(whole)
        for name, file in self._files.items():
            file.truncate(self._ends[name] if self.count else 0)
            if not self.count:
                file.write(HEADS[name].encode())
                file.flush()  # else a killed run with nothing in this list would leave it empty

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
        write_run(self.path, self._what, state, problem, self.count)

    def close(self, categories: list[dict[str, Any]]) -> None:
        """Completes the lists; if the evaluation is gone on with, they are opened again.

        Args:
            categories: of annotations.json.
        """
        images = [image_of(frame) for _, frame in lines_of(self.path, self._what) if frame["listed"]]
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


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _rows(entries: list[dict[str, Any]]) -> str:
    return ",\n".join(map(_json, entries))


def write_aside(path: Path, text: str) -> None:
    """Writes a file, aside first, so that it is there whole or as it was."""
    aside = path.with_name(path.name + ".partial")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


def write_run(path: Path, what: Mapping[str, Any], state: str, problem: str | None, frames: int) -> None:
    """Writes the run.json of an evaluation that has so many frames."""
    content = {"what": what, "state": state, "problem": problem, "frames": frames}
    write_aside(path / RUN, json.dumps(content, indent=1) + "\n")


def read_run(path: Path) -> dict[str, Any]:
    """The content of an evaluation's run.json.

    Raises:
        InputError: it has none, or one that is not ours.
    """
    if not (path / RUN).exists():
        raise InputError(f"{path}: no evaluation (no {RUN} in it)")
    content = _read_object(path / RUN, RUN_SHAPE)
    what = content["what"]
    whole = len(what["shard"]) == 2 and 1 <= what["shard"][0] <= what["shard"][1] <= MAX_PARTS
    if not whole or len(what["class_names"]) != len(what["category_ids"]) or not fits(what.get("left_out", []), [str]):
        raise InputError(f"{path / RUN}: not the {RUN} of an evaluation by this version")
    return content


def read_live(path: Path) -> dict[str, Any]:
    """The content of an evaluation's live.json.

    Raises:
        InputError: it has none, or one that is not ours.
    """
    content = _read_object(path / LIVE, LIVE_SHAPE)
    same = len(content["sent"]) == len(content["latency_ms"])
    if not same or not fits([*content["stage_ms"].values()], [float]) or not fits([*content["dropped"].values()], [int]):
        raise InputError(f"{path / LIVE}: not the {LIVE} of an evaluation by this version")
    return content


def read_timing(path: Path) -> dict[str, Any] | None:
    """The content of an evaluation's timing.json; None where it was killed before it had one.

    Raises:
        InputError: it is damaged.
    """
    return _read_object(path / TIMING, TIMING_SHAPE) if (path / TIMING).exists() else None


def _read_object(path: Path, shape: dict[str, Any]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged ({error})") from None
    if not fits(content, shape):
        raise InputError(f"{path}: not the {path.name} of an evaluation by this version")
    return content


def read_frames(path: Path) -> Iterator[dict[str, Any]]:
    """The frames of an evaluation, in order, as far as they were written whole.

    Raises:
        InputError: a line is damaged, or some are missing.
    """
    for _, frame in read_lines(path):
        yield frame


def read_lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """``read_frames``, and the line of each."""
    run, count = read_run(path), 0
    for count, line in enumerate(lines_of(path, run["what"]), start=1):  # noqa: B007
        yield line
    if count < run["frames"]:
        raise InputError(f"{path / FRAMES}: {count} of {run['frames']} frames, so it is damaged")


def read_entries(path: Path, names: Collection[str] = LISTS) -> Iterator[tuple[bytes, dict[str, Any], dict[str, bytes]]]:
    """``read_lines``, and the entries of each frame in some of ``LISTS``: JSON with commas between, not looked at any closer.

    Raises:
        InputError: a file is damaged, as far as can be told without that.
    """
    running = read_run(path)["state"] == RUNNING
    begins = {name: len(head) for name, head in HEADS.items()}
    with contextlib.ExitStack() as opened:
        try:
            files = {name: opened.enter_context(list_path(path, name).open("rb")) for name in names}
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
        for line, frame in read_lines(path):
            yield line, frame, {name: _between(file, begins[name], frame["ends"][name]) for name, file in files.items()}
            begins = frame["ends"]
        for name, file in files.items():
            file.seek(begins[name])
            tail = file.read()
            if not running and not (tail.startswith(b"\n]") and tail.endswith((b"]\n", b"}\n"))):
                raise InputError(f"{file.name}: cut off, or damaged, behind byte {begins[name]}")


def _between(file: BinaryIO, begin: int, end: int) -> bytes:
    """The entries of a frame in one of ``LISTS``, from the end of those before it to their own."""
    if begin == end:
        return b""
    file.seek(begin)
    text = file.read(max(end - begin, 0))
    entries = text.removeprefix(b",\n")
    printable = text.isascii() and text.decode().replace("\n", "").isprintable()
    if not printable or len(text) < end - begin or not (entries.startswith(b"{") and entries.endswith(b"}")):
        raise InputError(f"{file.name}: damaged behind byte {begin}, or not the list of this {FRAMES}")
    return entries


def lines_of(path: Path, what: Mapping[str, Any]) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Every whole line of frames.jsonl, without one that was not written to its end, and the frame that it is.

    Args:
        path: the folder.
        what: what is evaluated.

    Raises:
        InputError: a line is damaged.
    """
    try:
        lines = (path / FRAMES).open("rb")
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path / FRAMES}: cannot be read ({error.strerror})") from None
    with lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                frame = json.loads(line)
            except (ValueError, RecursionError):
                frame = None
            if not is_frame(frame, len(what["bags"]), len(what["class_names"])):
                raise InputError(f"{path / FRAMES}: line {number} is damaged")
            yield line, frame


def _lock(file: BinaryIO, path: Path) -> None:
    """Keeps other evaluations out of a folder, where the file system can."""
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
