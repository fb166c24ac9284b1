# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation's folder holds of each frame, masks included: for whatever looks at them again without the network."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.bags.mask_messages import to_instances
from fcis_ros.bags.run_folder import HEADS, LISTS, list_path, read_frames, read_run
from fcis_ros.structures import Instances


@dataclass(frozen=True)
class Stored:
    """One frame.

    Attributes:
        frame: its line.
        results: COCO results, in the ids of the files.
        objects: COCO annotations, likewise; empty for a frame without truth.
    """

    frame: dict[str, Any]
    results: list[dict[str, Any]]
    objects: list[dict[str, Any]]


def read_stored(folder: Path) -> Iterator[Stored]:
    """The frames of an evaluation, in order; holds one of them."""
    begins = {name: len(head) for name, head in HEADS.items()}
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(list_path(folder, name).open("rb")) for name in LISTS}
        for frame in read_frames(folder):
            entries = {}
            for name, file in files.items():
                file.seek(begins[name])
                text = file.read(frame["ends"][name] - begins[name]).decode().removeprefix(",\n")
                entries[name] = json.loads(f"[{text}]")
            begins = frame["ends"]
            yield Stored(frame, entries["detections" if frame["listed"] else "unannotated"], entries["annotations"])


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
