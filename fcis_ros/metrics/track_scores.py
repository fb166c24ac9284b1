# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Quality of track ids: IDF1 (Ristani et al., 2016) and identity switches (CLEAR MOT, Bernardin and Stiefelhagen, 2008)."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from fcis_ros.column_runs import ColumnRuns, intersections
from fcis_ros.structures import Instances, Sample

MATCH_IOU = 0.5  # minimum overlap of an instance and an object that match


@dataclass(frozen=True)
class TrackScores:
    """Scores of one sequence.

    Attributes:
        idf1: share of objects and instances whose id is the one assigned to them over the whole sequence, 0 to 1.
        switches: number of times that a matched object has another id than at its previous match.
        objects: number of ground-truth objects, over all frames.
        instances: number of instances with an id, over all frames.
        matched: number of instances that match an object.
    """

    idf1: float
    switches: int
    objects: int
    instances: int
    matched: int


class TrackEvaluation:
    """Accumulates the frames of one sequence."""

    def __init__(self) -> None:
        self._frames_together: Counter[tuple[int, int]] = Counter()  # of (true id, id)
        self._last: dict[int, int] = {}  # id of each true id's latest match
        self._objects = self._instances = self._matched = self._switches = 0

    def add(self, true_ids: np.ndarray, ids: np.ndarray, overlaps: np.ndarray, counted: np.ndarray | None = None) -> None:
        """Adds one frame.

        Args:
            true_ids: [G] int64, ids of the objects.
            ids: [N] int64, track ids of the instances.
            overlaps: [G, N] intersection over union, 0 where the classes differ.
            counted: [G] bool, False for an object that is ignored, as are instances that overlap no other object; None
                counts all.
        """
        overlaps = np.where(overlaps >= MATCH_IOU, overlaps, 0)
        if counted is not None:
            kept = ~(overlaps[~counted].any(0) & ~overlaps[counted].any(0))
            true_ids, ids, overlaps = true_ids[counted], ids[kept], overlaps[counted][:, kept]
        self._objects += len(true_ids)
        self._instances += len(ids)
        for row, column in np.argwhere(overlaps > 0):
            self._frames_together[int(true_ids[row]), int(ids[column])] += 1
        # An object keeps its earlier id while that still overlaps; only then are the others matched by overlap.
        previous = np.array([self._last.get(int(true_id), -1) for true_id in true_ids], np.int64)
        weights = np.where(overlaps > 0, overlaps + 1000 * (previous[:, None] == ids), 0)
        for row, column in zip(*linear_sum_assignment(weights, maximize=True), strict=True):
            if overlaps[row, column] > 0:
                true_id, track_id = int(true_ids[row]), int(ids[column])
                self._switches += self._last.get(true_id, track_id) != track_id
                self._last[true_id] = track_id
                self._matched += 1

    def scores(self) -> TrackScores:
        """Returns the scores of the frames so far; IDF1 is 1 without any object and instance."""
        pairs = np.array([*self._frames_together], np.int64).reshape(-1, 2)
        (true_ids, rows), (track_ids, columns) = (np.unique(ids, return_inverse=True) for ids in pairs.T)
        table = np.zeros((len(true_ids), len(track_ids)))
        table[rows, columns] = [*self._frames_together.values()]
        true_positives = table[linear_sum_assignment(table, maximize=True)].sum()
        total = self._objects + self._instances
        idf1 = float(2 * true_positives / total) if total else 1.0
        return TrackScores(idf1, self._switches, self._objects, self._instances, self._matched)


def true_instances(sample: Sample, class_names: tuple[str, ...]) -> Instances:
    """Returns the objects of a sample as instances of score 1, in the sample's order, without crowd regions."""
    objects = ~sample.crowd
    return Instances.from_masks(sample.masks[objects], np.ones(objects.sum()), sample.labels[objects], class_names)


def mask_overlaps(objects: Instances, instances: Instances) -> np.ndarray:
    """Returns [G, N] intersection over union of the masks, 0 where the classes differ."""
    first = ColumnRuns.from_runs(objects.runs, objects.boxes)
    second = ColumnRuns.from_runs(instances.runs, instances.boxes)
    same = objects.labels[:, None] == instances.labels
    pairs = np.argwhere(same)
    shared = intersections(first, second, pairs)
    overlaps = np.zeros(same.shape)
    overlaps[same] = shared / (first.areas[pairs[:, 0]] + second.areas[pairs[:, 1]] - shared)
    return overlaps
