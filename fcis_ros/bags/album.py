# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The pictures of the frames that a report shows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros import overlay
from fcis_ros.bags.choice import Choice, key, picture_path
from fcis_ros.bags.frame_lines import Frame
from fcis_ros.structures import Instances

WIDTH = 640  # pixels; wider pictures are scaled down
MISSED = (214, 39, 40)


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
