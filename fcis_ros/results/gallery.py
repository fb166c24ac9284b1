# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of the frames that a report shows: an image with its instances, and red outlines around missed objects."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros import overlay
from fcis_ros.results.frame_record import FrameRecord
from fcis_ros.results.frame_selection import FrameSelection, frame_key
from fcis_ros.results.run_reader import picture_path
from fcis_ros.structures import Instances

WIDTH = 640  # pixels; wider pictures are scaled down
MISSED = (214, 39, 40)


def picture(image: np.ndarray, instances: Instances, missed: Sequence[dict[str, Any]]) -> bytes:
    """Draws a picture; returns a JPEG.

    Args:
        image: [H, W, 3] uint8, RGB.
        instances: instances to draw.
        missed: false negatives as COCO annotations with compressed run lengths.
    """
    drawn = np.ascontiguousarray(overlay.draw(image, instances))
    thickness = max(2, round(min(drawn.shape[:2]) / 200))
    for entry in missed:
        outlines, _ = cv2.findContours(coco_mask.decode(entry["segmentation"]), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, MISSED, thickness)
    height, width = drawn.shape[:2]
    if width > WIDTH:
        drawn = cv2.resize(drawn, (WIDTH, max(1, round(height * WIDTH / width))), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


class Gallery:
    """Pictures of a growing evaluation; pictures of frames that are no longer selected are deleted.

    Args:
        folder: folder of the evaluation.
        score: score threshold.
        records: frames that the folder has already.
    """

    def __init__(self, folder: Path, score: float, records: Iterable[FrameRecord]):
        self._folder, self._score = folder, score
        self._selection = FrameSelection(score, records)
        self._kept = self._selection.keys()

    def add(self, record: FrameRecord, image: np.ndarray, instances: Instances, objects: list[dict[str, Any]]) -> None:
        """Writes a frame's picture if the frame is selected.

        Args:
            record: record of the frame.
            image: [H, W, 3] uint8, RGB.
            instances: predicted instances.
            objects: ground-truth objects as COCO annotations, in the order of the record.
        """
        if not self._selection.add(record):
            return
        rows = zip(objects, record["objects"], strict=True)
        missed = [entry for entry, (_, crowd, _, matched_score) in rows if not crowd and matched_score < self._score]
        shown = instances.select(instances.scores >= self._score)
        picture_path(self._folder, frame_key(record)).write_bytes(picture(image, shown, missed))
        keys = self._selection.keys()
        for key in self._kept - keys:
            picture_path(self._folder, key).unlink(missing_ok=True)
        self._kept = keys
