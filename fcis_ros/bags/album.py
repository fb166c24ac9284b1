# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which frames a report shows, and their pictures: the best, the worst, those with the largest missed object, and one a moment.

The choice follows from the frames alone, whatever their order: parts of a recording that were evaluated apart have the pictures
that the whole one would have.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros import overlay
from fcis_ros.bags.frame_lines import Frame, counts
from fcis_ros.structures import Instances

SHOWN = 8  # of the best, of the worst, of those that miss something
MOMENTS = 48  # of each recording
WIDTH = 640  # pixels; wider pictures are scaled down
MISSED = (214, 39, 40)

Key = tuple[int, int]  # recording, frame


def key(frame: Frame) -> Key:
    """Identifies a frame."""
    return frame["bag"], frame["index"]


class Choice:
    """The frames to show of those that were seen so far.

    Attributes:
        best: {key: rank}, the ones with the most right instances and nothing wrong or missed before all.
        worst: the ones with the most wrong and missed instances.
        missed: the ones with the largest missed object.
        moments: {(recording, moment): {key: rank}}, the worst of each; without truth the one with the most instances.
    """

    def __init__(self, score: float, frames: Iterable[Frame] = ()):
        self._score = score
        self.best: dict[Key, tuple] = {}
        self.worst: dict[Key, tuple] = {}
        self.missed: dict[Key, tuple] = {}
        self.moments: dict[tuple[int, int], dict[Key, tuple]] = {}
        for frame in frames:
            self.add(frame)

    def add(self, frame: Frame) -> bool:
        """Looks at a frame; says whether it is among those to show now."""
        if frame["problem"]:
            return False
        own, taken = key(frame), False
        order = (-own[0], -own[1])  # the earlier of equals
        right, wrong, missed, largest = counts(frame, self._score)
        if frame["truth"] is not None:
            if right:
                taken |= _offer(self.best, own, (right - wrong - missed, right, *order), SHOWN)
            if wrong + missed:
                taken |= _offer(self.worst, own, (wrong + missed, *order), SHOWN)
            if missed:
                taken |= _offer(self.missed, own, (largest, *order), SHOWN)
        found = sum(score >= self._score for score in frame["scores"])
        moment = self.moments.setdefault((own[0], frame["moment"]), {})
        return taken | _offer(moment, own, (wrong + missed, found, *order), 1)

    def keys(self) -> set[Key]:
        """All of them."""
        return {*self.best, *self.worst, *self.missed, *(own for moment in self.moments.values() for own in moment)}


def _offer(kept: dict[Key, tuple], own: Key, rank: tuple, most: int) -> bool:
    kept[own] = rank
    if len(kept) > most:
        del kept[min(kept, key=kept.__getitem__)]
    return own in kept


class Album:
    """The pictures of a growing evaluation; those that are no longer to be shown are deleted."""

    def __init__(self, folder: Path, score: float, frames: Iterable[Frame]):
        self._folder, self._score = folder, score
        self._choice = Choice(score, frames)
        self._there = self._choice.keys()

    def offer(self, frame: Frame, image: np.ndarray, found: Instances, objects: list[dict[str, Any]]) -> None:
        """Keeps a frame's picture if it is to be shown.

        Args:
            frame: its line.
            image: [H, W, 3] uint8, RGB.
            found: instances in it.
            objects: the annotated ones, as COCO annotations in the order of the line.
        """
        if not self._choice.add(frame):
            return
        drawn = overlay.draw(image, found.select(found.scores >= self._score))
        missed = [own for own, line in zip(objects, frame["objects"], strict=True) if not line[1] and line[3] < self._score]
        picture_path(self._folder, key(frame)).write_bytes(_jpeg(_outlined(drawn, missed)))
        kept = self._choice.keys()
        for other in self._there - kept:
            picture_path(self._folder, other).unlink(missing_ok=True)
        self._there = kept


def picture_path(folder: Path, own: Key) -> Path:
    """Where a frame's picture lies in an evaluation's folder."""
    return folder / f"{own[0]:05d}-{own[1]:08d}.jpg"


def _outlined(drawn: np.ndarray, missed: list[dict[str, Any]]) -> np.ndarray:
    """With a red line around what was not found."""
    drawn = np.ascontiguousarray(drawn)
    thickness = max(2, round(min(drawn.shape[:2]) / 200))
    for own in missed:
        outlines, _ = cv2.findContours(coco_mask.decode(own["segmentation"]), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, MISSED, thickness)
    return drawn


def _jpeg(image: np.ndarray) -> bytes:
    height, width = image.shape[:2]
    if width > WIDTH:
        image = cv2.resize(image, (WIDTH, max(1, round(height * WIDTH / width))), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
