# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Merges the shards of an evaluation into what a single evaluation would have written, to the byte.

Entries of the lists are copied as bytes; only the record of each frame is decoded.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcis_ros.errors import InputError
from fcis_ros.metrics.matching import match_image
from fcis_ros.results.frame_record import with_matches
from fcis_ros.results.frame_selection import FrameSelection
from fcis_ros.results.run_reader import COMPLETE, RUN, RawFrame, RunReader, picture_path
from fcis_ros.results.run_writer import RunWriter

# Between the shards of one evaluation; of the recordings only their paths. Findings of all shards are merged.
MAY_DIFFER = ("shard", "device", "bags", "findings")


@dataclass(frozen=True)
class ShardState:
    """A shard of an evaluation.

    Attributes:
        path: folder of the shard; None if it has not begun.
        number: number of the shard, from 1.
        state: state in its run.json, or ``not begun``.
        problem: reason of its failure; None without one.
    """

    path: Path | None
    number: int
    state: str
    problem: str | None

    @property
    def line(self) -> str:
        """The shard's state as a line of text."""
        frames = f", {sum(1 for _ in RunReader(self.path).frames())} frames" if self.path and self.state != COMPLETE else ""
        return f"shard {self.number}: {self.state}{frames}" + (f" ({self.problem})" if self.problem else "")


def shard_path(folder: Path, number: int, count: int) -> Path:
    """Returns the path of a shard in the folder of its evaluation."""
    return folder / f"part-{number:0{len(str(count))}d}-of-{count}"


def find_shards(paths: Sequence[Path]) -> tuple[list[ShardState], dict[str, Any]]:
    """Finds all shards of an evaluation, including those that have not begun.

    Args:
        paths: folders of shards, or folders that contain these.

    Returns:
        The shards by number, and the specification of the whole evaluation.

    Raises:
        InputError: no shard, shards of different evaluations, or two with the same number.
    """
    folders: list[Path] = []
    for path in paths:
        inside = [file.parent for file in sorted(path.glob(f"part-*/{RUN}"))]
        if inside and (path / RUN).is_file():
            raise InputError(f"{path}: holds an evaluation and shards of another; give the folders to merge")
        folders += [path] if (path / RUN).is_file() else inside
    if not folders:
        raise InputError(f"{paths[0]}: no shard of an evaluation in it")
    runs: dict[int, tuple[Path, dict[str, Any]]] = {}
    first = RunReader(folders[0]).run
    count = first["what"]["shard"][1]
    for folder in folders:
        run = RunReader(folder).run
        if other := _difference(first["what"], run["what"]):
            raise InputError(f"{folder}: shard of another evaluation than {folders[0]}: other {other}")
        number = run["what"]["shard"][0]
        if number in runs:
            raise InputError(f"{folder}: shard {number} is given twice, also as {runs[number][0]}")
        runs[number] = folder, run
    not_begun: dict[str, Any] = {"state": "not begun", "problem": None}
    found = [(number, *runs.get(number, (None, not_begun))) for number in range(1, count + 1)]
    shards = [ShardState(path, number, run["state"], run["problem"]) for number, path, run in found]
    specs = [runs[number][1]["what"] for number in sorted(runs)]
    device = ", ".join(sorted({spec["device"] for spec in specs}))
    findings = {json.dumps(entry): entry for spec in specs for entry in spec.get("findings", ())}
    return shards, {**first["what"], "device": device, **({"findings": [*findings.values()]} if findings else {})}


def _difference(first: dict[str, Any], second: dict[str, Any]) -> str | None:
    for key in (*first, *(key for key in second if key not in first)):
        if key not in MAY_DIFFER and first.get(key) != second.get(key):
            return key
    if first["shard"][1] != second["shard"][1]:
        return f"number of shards ({first['shard'][1]} and {second['shard'][1]})"
    bags = [[{key: value for key, value in bag.items() if key != "path"} for bag in what["bags"]] for what in (first, second)]
    return None if bags[0] == bags[1] else "recordings"


def merge(shards: Sequence[ShardState], what: dict[str, Any], folder: Path) -> None:
    """Writes what a single evaluation of everything would have written, as far as the shards got.

    Args:
        shards: shards of ``find_shards``.
        what: specification of ``find_shards``.
        folder: empty folder.
    """
    missing = [shard for shard in shards if shard.state != COMPLETE]
    readers = [RunReader(shard.path) for shard in shards if shard.path]
    selection = FrameSelection(what["score"])
    known: set[int] = set()  # annotations of earlier frames
    with RunWriter(folder, {**what, "shard": [1, 1]}) as run:
        for frame in (frame for reader in readers for frame in reader.raw_frames()):
            if frame.record["truth"] in known:
                frame = _without_ground_truth(frame, what)
            elif frame.record["truth"] is not None:
                known.add(frame.record["truth"])
            run.append(frame.record, frame.entries)
            selection.add(frame.record)
        for key in sorted(selection.keys()):
            pictures = (path for reader in readers if (path := picture_path(reader.path, key)).is_file())
            if picture := next(pictures, None):
                shutil.copyfile(picture, picture_path(folder, key))
        if timing := _sum_of_timings(readers):
            run.write_timing(timing)
        if missing:
            run.leave_partial("; ".join(shard.line for shard in missing)[:2000])


def _sum_of_timings(readers: Iterable[RunReader]) -> dict[str, Any]:
    """Returns frames and seconds of all shards together, whether or not they ran at the same time."""
    total: Counter[str] = Counter()
    for reader in readers:
        if timing := reader.timing():
            total.update(frames=timing["frames"], seconds=timing["seconds"])
    return {**total, "fps": total["frames"] / (total["seconds"] or 1)} if total else {}


def _without_ground_truth(frame: RawFrame, what: dict[str, Any]) -> RawFrame:
    """Returns a frame whose annotated image an earlier shard had: in a single evaluation it would have no ground truth."""
    image_id, results = frame.record["own_id"], json.loads(b"[" + frame.entries["detections"] + b"]")
    labels = {category_id: label for label, category_id in enumerate(what["category_ids"], start=1)}
    labelled = [{**entry, "category_id": labels[entry["category_id"]], "bbox": [0, 0, 1, 1]} for entry in results]
    moved = ",\n".join(json.dumps({**entry, "image_id": image_id}, separators=(",", ":")) for entry in results)
    changed = {"truth": None, "listed": False, "tracked": False, "repeated": True, "other_classes": {}, "image_id": image_id}
    record = with_matches({**frame.record, **changed}, match_image([], labelled), what["score"])
    return RawFrame(record, {"unannotated": moved.encode()})


def progress(shards: Sequence[ShardState]) -> Iterator[str]:
    """Yields lines of text: how far the evaluation is, and each shard that is not complete."""
    states = Counter(shard.state for shard in shards)
    yield f"{states[COMPLETE]} of {len(shards)} shards complete" + "".join(
        f", {count} {state}" for state, count in sorted(states.items()) if state != COMPLETE
    )
    for shard in shards:
        if shard.state != COMPLETE:
            yield shard.line
