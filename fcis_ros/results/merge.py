# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Parts of an evaluation -> the whole: byte for byte what one run over everything would have written.

Masks are not looked at: the lists are joined as bytes, and of each frame only its line is read.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from fcis_ros.errors import InputError
from fcis_ros.metrics.matching import match_image
from fcis_ros.results.frame_record import with_rates
from fcis_ros.results.frame_selection import FrameSelection, picture_path
from fcis_ros.results.store import (
    COMPLETE,
    FRAMES,
    HEADS,
    LISTS,
    PICTURES,
    RUN,
    TIMING,
    image_of,
    list_path,
    read_entries,
    read_frames,
    read_run,
    read_timing,
    tails,
    write_aside,
    write_run,
)  # fmt: skip

PARTIAL = "partial"
FREE = ("shard", "device", "bags")  # what may differ between parts; of the recordings only where they lie


@dataclass(frozen=True)
class Part:
    """A part of an evaluation.

    Attributes:
        path: its folder; None where it has not begun.
        number: from 1.
        state: of its run.json, or ``not begun``.
        problem: why it failed; None if it did not.
    """

    path: Path | None
    number: int
    state: str
    problem: str | None

    @property
    def line(self) -> str:
        """For people."""
        frames = f", {sum(1 for _ in read_frames(self.path))} frames" if self.path and self.state != COMPLETE else ""
        return f"part {self.number}: {self.state}{frames}" + (f" ({self.problem})" if self.problem else "")


def part_path(folder: Path, number: int, count: int) -> Path:
    """Where a part lies in the folder of its evaluation."""
    return folder / f"part-{number:0{len(str(count))}d}-of-{count}"


def find_parts(paths: Sequence[Path]) -> tuple[list[Part], dict[str, Any]]:
    """All parts of an evaluation, whether they are there or not.

    Args:
        paths: folders of parts, or folders that hold those.

    Returns:
        The parts by number, and what was evaluated.

    Raises:
        InputError: no part there, parts of different evaluations, or one that is there twice.
    """
    folders = [own for path in paths for own in ([path] if (path / RUN).is_file() else sorted(path.glob(f"part-*/{RUN}")))]
    folders = [own.parent if own.name == RUN else own for own in folders]
    if not folders:
        raise InputError(f"{paths[0]}: no part of an evaluation in it")
    found: dict[int, tuple[Path, dict]] = {}
    first = read_run(folders[0])
    count = first["what"]["shard"][1]
    for folder in folders:
        run = read_run(folder)
        if other := _difference(first["what"], run["what"]):
            raise InputError(f"{folder}: part of another evaluation than {folders[0]}: other {other}")
        number = run["what"]["shard"][0]
        if number in found:
            raise InputError(f"{folder}: part {number} is there twice, also as {found[number][0]}")
        found[number] = folder, run
    parts = []
    for number in range(1, count + 1):
        folder, run = found.get(number, (None, {"state": "not begun", "problem": None}))
        parts.append(Part(folder, number, run["state"], run["problem"]))
    return parts, {**first["what"], "device": ", ".join(sorted({run["what"]["device"] for _, run in found.values()}))}


def _difference(first: dict[str, Any], second: dict[str, Any]) -> str | None:
    for key in (*first, *(key for key in second if key not in first)):
        if key not in FREE and first.get(key) != second.get(key):
            return key
    if first["shard"][1] != second["shard"][1]:
        return f"number of parts ({first['shard'][1]} and {second['shard'][1]})"
    bags = [[{key: value for key, value in bag.items() if key != "path"} for bag in what["bags"]] for what in (first, second)]
    return None if bags[0] == bags[1] else "recordings"


def merge(parts: Sequence[Part], what: dict[str, Any], folder: Path) -> None:
    """Fills a folder with what one run over everything would have written there, as far as the parts got.

    Args:
        parts: of ``find_parts``.
        what: of ``find_parts``.
        folder: empty.
    """
    (folder / PICTURES).mkdir()
    missing = [part for part in parts if part.state != COMPLETE]
    with (folder / FRAMES).open("wb") as frames:
        joining = _Joining(folder, what, frames)
        for part in parts:
            if part.path:
                joining.add(part.path)
        joining.close()
    choice = joining.choice
    for own in sorted(choice.keys()):
        for part in parts:
            if part.path and (picture := picture_path(part.path / PICTURES, own)).is_file():
                shutil.copyfile(picture, picture_path(folder / PICTURES, own))
                break
    if times := _times(part.path for part in parts if part.path):
        write_aside(folder / TIMING, json.dumps(times, indent=1) + "\n")
    problem = "; ".join(part.line for part in missing)[:2000] or None
    write_run(folder, {**what, "shard": [1, 1]}, PARTIAL if missing else COMPLETE, problem, joining.count)


def _times(folders: Iterable[Path]) -> dict[str, Any]:
    """Frames and seconds of all parts together, whoever did them at the same time."""
    total = Counter()
    for folder in folders:
        if own := read_timing(folder):
            total.update(frames=own["frames"], seconds=own["seconds"])
    return {**total, "fps": total["frames"] / (total["seconds"] or 1)} if total else {}


class _Joining:
    """Writes the joined lists and lines."""

    def __init__(self, folder: Path, what: dict[str, Any], frames: BinaryIO):
        self._folder, self._frames, self._names = folder, frames, what["class_names"]
        self._files = {name: list_path(folder, name).open("wb") for name in LISTS}
        for name, file in self._files.items():
            file.write(HEADS[name].encode())
        self._ends = {name: len(head) for name, head in HEADS.items()}
        self._known: set[int] = set()
        self._images: list[dict[str, Any]] = []
        self._ids = what["category_ids"]
        self._categories = [{"id": own, "name": name} for own, name in zip(self._ids, self._names, strict=True)]
        self._score = what["score"]
        self.choice = FrameSelection(self._score)
        self.count = 0

    def add(self, part: Path) -> None:
        """Adds the frames of a part."""
        for line, frame, entries in read_entries(part):
            self._add(line, frame, entries)

    def _add(self, line: bytes, frame: dict[str, Any], entries: dict[str, bytes]) -> None:
        if frame["truth"] in self._known and frame["truth"] is not None:
            frame, entries = self._demoted(frame, entries)
            line = json.dumps(frame, separators=(",", ":")).encode()
        elif frame["truth"] is not None:
            self._known.add(frame["truth"])
        for name, text in entries.items():
            if text:
                text = text if self._ends[name] == len(HEADS[name]) else b",\n" + text
                self._files[name].write(text)
                self._ends[name] += len(text)
        ends = json.dumps({"ends": self._ends}, separators=(",", ":"))[1:].encode()
        self._frames.write(line[: line.rindex(b'"ends":')] + ends + b"\n")
        self.count += 1
        if frame["listed"]:
            self._images.append(image_of(frame))
        self.choice.add(frame)

    def _demoted(self, frame: dict[str, Any], entries: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, bytes]]:
        """A frame whose annotation an earlier part had: it counts as one without truth, as it would have in one run."""
        results = json.loads(b"[" + entries["detections"] + b"]")
        own = frame["own_id"]
        labelled = [
            {**entry, "category_id": self._ids.index(entry["category_id"]) + 1, "bbox": [0, 0, 1, 1]} for entry in results
        ]
        moved = ",\n".join(json.dumps({**entry, "image_id": own}, separators=(",", ":")) for entry in results)
        changed = {"truth": None, "listed": False, "tracked": False, "repeated": True, "image_id": own}
        frame = with_rates({**frame, **changed}, match_image([], labelled), self._score)
        return frame, {"detections": b"", "unannotated": moved.encode(), "annotations": b""}

    def close(self) -> None:
        """Completes the lists."""
        for name, tail in tails(self._images, self._categories).items():
            self._files[name].write(tail.encode())
            self._files[name].close()


def progress(parts: Sequence[Part]) -> Iterator[str]:
    """Lines for people: how far the evaluation is, and every part that is not complete."""
    states = Counter(part.state for part in parts)
    yield f"{states[COMPLETE]} of {len(parts)} parts complete" + "".join(
        f", {count} {state}" for state, count in sorted(states.items()) if state != COMPLETE
    )
    for part in parts:
        if part.state != COMPLETE:
            yield part.line
