# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The pictures of the frames that a report shows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.results.frame_record import FrameRecord
from fcis_ros.results.frame_selection import FrameSelection, key, picture_path
from fcis_ros.results.picture import picture
from fcis_ros.structures import Instances


class Gallery:
    """The pictures of a growing evaluation; those that are no longer to be shown are deleted."""

    def __init__(self, folder: Path, score: float, frames: Iterable[FrameRecord]):
        self._folder, self._score = folder, score
        self._choice = FrameSelection(score, frames)
        self._there = self._choice.keys()

    def offer(self, frame: FrameRecord, image: np.ndarray, found: Instances, objects: list[dict[str, Any]]) -> None:
        """Keeps a frame's picture if it is to be shown.

        Args:
            frame: its line.
            image: [H, W, 3] uint8, RGB.
            found: instances in it.
            objects: the annotated ones, as COCO annotations in the order of the line.
        """
        if not self._choice.add(frame):
            return
        missed = [own for own, line in zip(objects, frame["objects"], strict=True) if not line[1] and line[3] < self._score]
        picture_path(self._folder, key(frame)).write_bytes(picture(image, found.select(found.scores >= self._score), missed))
        kept = self._choice.keys()
        for other in self._there - kept:
            picture_path(self._folder, other).unlink(missing_ok=True)
        self._there = kept
