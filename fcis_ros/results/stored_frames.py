# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation's folder holds of each frame, masks included: for whatever looks at them again without the network."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.data.segmentation import encode_segmentation
from fcis_ros.errors import InputError
from fcis_ros.messages.mask_serialization import to_instances
from fcis_ros.results.json_shapes import fits
from fcis_ros.results.store import LISTS, list_path, read_entries, read_run
from fcis_ros.structures import Instances


@dataclass(frozen=True)
class StoredFrame:
    """One frame.

    Attributes:
        frame: its line.
        results: COCO results, in the ids of the files.
        objects: COCO annotations, likewise; empty for a frame without truth.
    """

    frame: dict[str, Any]
    results: list[dict[str, Any]]
    objects: list[dict[str, Any]]


ENTRY = {"image_id": int, "category_id": int, "segmentation": {"size": [int], "counts": str}}
SHAPES = {
    "detections": {**ENTRY, "score": float},
    "unannotated": {**ENTRY, "score": float},
    "annotations": {**ENTRY, "iscrowd": int, "area": float},
}


def read_stored(folder: Path, lists: Collection[str] = LISTS) -> Iterator[StoredFrame]:
    """The frames of an evaluation, in order; holds one of them.

    Args:
        folder: of the evaluation.
        lists: which to read; without ``annotations`` no frame has objects.

    Raises:
        InputError: the folder holds no evaluation, or one of its files is damaged.
    """
    ids = set(read_run(folder)["what"]["category_ids"])
    for _, frame, texts in read_entries(folder, lists):
        entries = {name: _parsed(text, name, frame, ids, folder) for name, text in texts.items()}
        yield StoredFrame(frame, entries["detections" if frame["listed"] else "unannotated"], entries.get("annotations", []))


def _parsed(text: bytes, name: str, frame: dict[str, Any], ids: set[int], folder: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads(b"[" + text + b"]")
        for entry in entries:
            if not fits(entry, SHAPES[name]) or entry["category_id"] not in ids or not fits(entry.get("track_id", 0), int):
                raise InputError("an entry lacks what belongs to it")
            encode_segmentation(entry["segmentation"], frame["height"], frame["width"])
    except (ValueError, RecursionError, InputError) as error:
        raise InputError(f"{list_path(folder, name)}: damaged in what it has of frame {frame['name']} ({error})") from None
    return entries


class Labels:
    """The ids of a folder's files, as labels.

    Attributes:
        class_names: label i is ``class_names[i - 1]``.
    """

    def __init__(self, folder: Path):
        what = read_run(folder)["what"]
        self.class_names = tuple(what["class_names"])
        self._labels = {own: label for label, own in enumerate(what["category_ids"], start=1)}

    def instances(self, frame: dict[str, Any], entries: list[dict[str, Any]]) -> tuple[Instances, list[dict[str, Any]]]:
        """Results (best first) or annotations of a frame as instances, and the entries that they are."""
        scores = np.array([own.get("score", 1.0) for own in entries])
        labelled = [
            {**entries[i], "category_id": self._labels[entries[i]["category_id"]]} for i in np.argsort(-scores, kind="stable")
        ]
        found, kept = to_instances(labelled, frame["height"], frame["width"], self.class_names)
        scores = np.array([own.get("score", 1.0) for own in kept], np.float32)
        return Instances(found.height, found.width, found.boxes, scores, found.labels, found.runs, self.class_names), kept
