# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reader of the folder of an evaluation, which ``run_writer.RunWriter`` writes.

- ``run.json``: what is evaluated (its ``spec``), and how far the evaluation is.
- ``frames.jsonl``: a record per frame, see ``frame_record``. A line without its line break was not written whole.
- ``detections.json``: COCO results of the annotated frames, or of all frames without annotations; ``unannotated.json``: COCO
  results of the other frames. The field ``ends`` of a frame's record says where its entries end in each of the lists.
- ``annotations.json``: the annotated frames and their objects, so that pycocotools needs only these two files.
- ``pictures``: the frames that a report may show.
- ``live.json``: times at which a live node was sent and answered frames, and its counts of dropped frames.
- ``timing.json``: run time; the only file that differs between two evaluations of the same input.
"""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fcis_ros.data.segmentation import encode_segmentation, to_instances
from fcis_ros.errors import InputError
from fcis_ros.results.frame_record import is_frame_record
from fcis_ros.results.json_shapes import fits
from fcis_ros.structures import Instances

RUN, FRAMES, PICTURES, TIMING, LIVE = "run.json", "frames.jsonl", "pictures", "timing.json", "live.json"
LISTS = ("detections", "unannotated", "annotations")
HEADS = {"detections": b"[\n", "unannotated": b"[\n", "annotations": b'{"annotations": [\n'}
RUNNING, INTERRUPTED, FAILED, COMPLETE = "running", "interrupted", "failed", "complete"
MAX_SHARDS = 1_000_000
RUN_SHAPE = {
    "what": {
        "mode": str, "bags": [{"path": str, "topic": str, "messages": int}], "shard": [int], "class_names": [str],
        "category_ids": [int], "score_floor": float, "score": float, "device": str, "precision": str,
        "model": {"name": str, "sha256": str}, "truth": ({"matched_by": str}, None),
    },
    "state": str, "problem": (str, None), "frames": int,
}  # fmt: skip
FINDINGS_SHAPE = [{"source": str, "text": str, "lost": bool}]
LIVE_SHAPE = {
    "rate": (float, None), "seconds": float, "sent": [float], "latency_ms": [(float, None)], "stage_ms": dict, "dropped": dict
}  # fmt: skip
TIMING_SHAPE = {"frames": int, "seconds": float}
ENTRY = {"image_id": int, "category_id": int, "segmentation": {"size": [int], "counts": str}}
ENTRY_SHAPES = {
    "detections": {**ENTRY, "score": float},
    "unannotated": {**ENTRY, "score": float},
    "annotations": {**ENTRY, "iscrowd": int, "area": float},
}


@dataclass(frozen=True)
class RawFrame:
    """A frame whose entries are not decoded.

    Attributes:
        record: record of the frame.
        entries: JSON objects with commas between them, by name of the list.
    """

    record: dict[str, Any]
    entries: dict[str, bytes]


@dataclass(frozen=True)
class StoredFrame:
    """A frame with its decoded entries.

    Attributes:
        record: record of the frame.
        results: COCO results, with the category ids of the files.
        objects: COCO annotations, with the category ids of the files; empty for a frame without ground truth.
    """

    record: dict[str, Any]
    results: list[dict[str, Any]]
    objects: list[dict[str, Any]]


class RunReader:
    """Reads the folder of an evaluation. Frames are read one at a time, so that memory does not grow with their number.

    Attributes:
        path: folder.
        run: content of run.json when the reader was made.
        spec: description of the evaluation, ``run["what"]``.
        state: progress of the evaluation, ``run["state"]``.

    Args:
        path: folder.

    Raises:
        InputError: the folder has no run.json, or a damaged one.
    """

    def __init__(self, path: Path):
        self.path = path
        if not (path / RUN).exists():
            raise InputError(f"{path}: no evaluation (no {RUN} in it)")
        self.run = _read_object(path / RUN, RUN_SHAPE)
        self.spec: dict[str, Any] = self.run["what"]
        self.state: str = self.run["state"]
        shard, names, ids = self.spec["shard"], self.spec["class_names"], self.spec["category_ids"]
        valid = len(shard) == 2 and 1 <= shard[0] <= shard[1] <= MAX_SHARDS
        left_out = self.spec.get("left_out", {})
        valid &= isinstance(left_out, dict) and fits([*left_out.values()], [[str]])
        valid &= fits(self.spec.get("findings", []), FINDINGS_SHAPE)
        if not valid or len(names) != len(ids):
            raise _other_version(path / RUN)
        self._labels = {category_id: label for label, category_id in enumerate(ids, start=1)}

    def recordings(self) -> list[tuple[Path | str, str]]:
        """Returns path or URL, and topic, of the evaluated recordings; that of a demo lies in its folder, wherever this is."""
        return [(self.path / bag["path"] if bag.get("in_folder") else bag["path"], bag["topic"]) for bag in self.spec["bags"]]

    def frames(self) -> Iterator[dict[str, Any]]:
        """Yields the records of the frames that were written whole, in order.

        Raises:
            InputError: a line is damaged, or lines are missing.
        """
        return (raw.record for raw in self.raw_frames(()))

    def raw_frames(self, lists: Collection[str] = LISTS) -> Iterator[RawFrame]:
        """Yields frames with their entries as bytes, in order.

        Args:
            lists: names of the lists to read, of ``LISTS``.

        Raises:
            InputError: a file is damaged, as far as that shows without decoding the entries.
        """
        begins = {name: len(head) for name, head in HEADS.items()}
        count = 0
        with contextlib.ExitStack() as opened:
            try:
                files = {name: opened.enter_context(list_path(self.path, name).open("rb")) for name in lists}
            except OSError as error:
                raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
            for count, (_, record) in enumerate(whole_lines(self.path, self.spec), start=1):  # noqa: B007
                entries = {name: read_entries(file, begins[name], record["ends"][name]) for name, file in files.items()}
                yield RawFrame(record, entries)
                begins = record["ends"]
            if count < self.run["frames"]:
                raise InputError(f"{self.path / FRAMES}: {count} of {self.run['frames']} frames, so it is damaged")
            for name, file in files.items():
                file.seek(begins[name])
                tail = file.read()
                if self.state != RUNNING and not (tail.startswith(b"\n]") and tail.endswith((b"]\n", b"}\n"))):
                    raise InputError(f"{file.name}: cut off, or damaged, behind byte {begins[name]}")

    def stored(self, lists: Collection[str] = LISTS) -> Iterator[StoredFrame]:
        """Yields frames with decoded entries, in order.

        Args:
            lists: names of the lists to read; without ``annotations`` no frame has objects.

        Raises:
            InputError: a file is damaged.
        """
        for raw in self.raw_frames(lists):
            entries = {name: self._decoded(text, name, raw.record) for name, text in raw.entries.items()}
            results = entries["detections" if raw.record["listed"] else "unannotated"]
            yield StoredFrame(raw.record, results, entries.get("annotations", []))

    def _decoded(self, text: bytes, name: str, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            entries = json.loads(b"[" + text + b"]")
            for entry in entries:
                known = fits(entry, ENTRY_SHAPES[name]) and entry["category_id"] in self._labels
                if not known or not fits(entry.get("track_id", 0), int):
                    raise InputError("an entry lacks a field or has a wrong one")
                encode_segmentation(entry["segmentation"], record["height"], record["width"])
        except (ValueError, RecursionError, InputError) as error:
            file = list_path(self.path, name)
            raise InputError(f"{file}: damaged in the entries of frame {record['name']} ({error})") from None
        return entries

    def instances(self, record: Mapping[str, Any], entries: list[dict[str, Any]]) -> tuple[Instances, list[dict[str, Any]]]:
        """Converts entries of a stored frame.

        Args:
            record: record of the frame.
            entries: COCO results or annotations of the frame.

        Returns:
            The instances, highest scores first, and the entry of each; entries with an empty mask are left out.
        """
        scores = np.array([entry.get("score", 1.0) for entry in entries])
        ordered = [entries[index] for index in np.argsort(-scores, kind="stable")]
        labelled = [{**entry, "category_id": self._labels[entry["category_id"]]} for entry in ordered]
        class_names = tuple(self.spec["class_names"])
        return to_instances(labelled, record["height"], record["width"], class_names)

    def live(self) -> dict[str, Any]:
        """Returns the content of live.json.

        Raises:
            InputError: the file is missing or damaged.
        """
        content = _read_object(self.path / LIVE, LIVE_SHAPE)
        same = len(content["sent"]) == len(content["latency_ms"])
        if not same or not fits([*content["stage_ms"].values()], [float]) or not fits([*content["dropped"].values()], [int]):
            raise _other_version(self.path / LIVE)
        return content

    def timing(self) -> dict[str, Any] | None:
        """Returns the content of timing.json; None if the evaluation was killed before it wrote the file.

        Raises:
            InputError: the file is damaged.
        """
        return _read_object(self.path / TIMING, TIMING_SHAPE) if (self.path / TIMING).exists() else None


def list_path(folder: Path, name: str) -> Path:
    """Returns the path of one of ``LISTS``."""
    return folder / f"{name}.json"


def picture_path(folder: Path, key: tuple[int, int]) -> Path:
    """Returns the path of a frame's picture.

    Args:
        folder: folder of the evaluation.
        key: indices of the recording and of the frame in it.
    """
    return folder / PICTURES / f"{key[0]:05d}-{key[1]:08d}.jpg"


def whole_lines(path: Path, spec: Mapping[str, Any]) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yields every whole line of frames.jsonl with the record that it holds.

    Args:
        path: folder of the evaluation.
        spec: description of the evaluation.

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
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if not is_frame_record(record, len(spec["bags"]), len(spec["class_names"])):
                raise InputError(f"{path / FRAMES}: line {number} is damaged")
            yield line, record


def read_entries(file: BinaryIO, begin: int, end: int) -> bytes:
    """Reads the entries of a frame from a list.

    Args:
        file: the list.
        begin: offset in bytes at which the entries of the frames before it end.
        end: offset in bytes at which its entries end.

    Raises:
        InputError: the bytes there are not JSON objects.
    """
    if begin == end:
        return b""
    file.seek(begin)
    text = file.read(max(end - begin, 0))
    entries = text.removeprefix(b",\n")
    printable = text.isascii() and text.decode().replace("\n", "").isprintable()
    if not printable or len(text) < end - begin or not (entries.startswith(b"{") and entries.endswith(b"}")):
        raise InputError(f"{file.name}: damaged behind byte {begin}, or not the list of this {FRAMES}")
    return entries


def _read_object(path: Path, shape: dict[str, Any]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged ({error})") from None
    if not fits(content, shape):
        raise _other_version(path)
    return content


def _other_version(path: Path) -> InputError:
    return InputError(f"{path}: not the {path.name} of an evaluation by this version")
