# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""How well track ids hold: IDF1 (Ristani et al., 2016) and identity switches (CLEAR MOT, Bernardin and Stiefelhagen, 2008)."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from fcis_ros import rle
from fcis_ros.column_runs import ColumnRuns, intersections
from fcis_ros.structures import Instances, Sample

MATCH_IOU = 0.5  # overlap from which an instance counts as the object


@dataclass(frozen=True)
class TrackScores:
    """Of one sequence.

    Attributes:
        idf1: share of objects and instances that bear the id which suits them best over the whole sequence, 0..1.
        switches: how often an object that was found bears another id than when it was last found.
        objects: true objects, over all frames.
        instances: predicted ones with an id.
        matched: of those, the ones that are an object.
    """

    idf1: float
    switches: int
    objects: int
    instances: int
    matched: int


class TrackEvaluation:
    """Adds up the frames of one sequence."""

    def __init__(self) -> None:
        self._together: Counter[tuple[int, int]] = Counter()
        self._last: dict[int, int] = {}
        self._objects = self._instances = self._matched = self._switches = 0

    def add(self, true_ids: np.ndarray, ids: np.ndarray, overlaps: np.ndarray, counted: np.ndarray | None = None) -> None:
        """One frame.

        Args:
            true_ids: [G] of the objects.
            ids: [N] of what was found.
            overlaps: [G, N] intersection over union, 0 where the classes differ.
            counted: [G] bool, False for an object that need not be found, and for which whoever finds it is not blamed; None
                counts all.
        """
        overlaps = np.where(overlaps >= MATCH_IOU, overlaps, 0)
        if counted is not None:
            blamed = ~(overlaps[~counted].any(0) & ~overlaps[counted].any(0))
            true_ids, ids, overlaps = true_ids[counted], ids[blamed], overlaps[counted][:, blamed]
        self._objects += len(true_ids)
        self._instances += len(ids)
        for row, column in np.argwhere(overlaps > 0):
            self._together[int(true_ids[row]), int(ids[column])] += 1
        # An object keeps its instance while that still fits; only then is the rest matched by overlap.
        kept = np.array([[self._last.get(int(true)) == own for own in ids] for true in true_ids], bool).reshape(overlaps.shape)
        rows, columns = linear_sum_assignment(np.where(overlaps > 0, overlaps + 1000 * kept, 0), maximize=True)
        for row, column in zip(rows, columns, strict=True):
            if overlaps[row, column] > 0:
                true, own = int(true_ids[row]), int(ids[column])
                self._switches += self._last.get(true, own) != own
                self._last[true] = own
                self._matched += 1

    def scores(self) -> TrackScores:
        """Over the frames so far; IDF1 is 1 where there was nothing to find and nothing was found."""
        trues = {true: row for row, true in enumerate(sorted({true for true, _ in self._together}))}
        owns = {own: column for column, own in enumerate(sorted({own for _, own in self._together}))}
        table = np.zeros((len(trues), len(owns)))
        for (true, own), frames in self._together.items():
            table[trues[true], owns[own]] = frames
        right = table[linear_sum_assignment(table, maximize=True)].sum()
        total = self._objects + self._instances
        idf1 = float(2 * right / total) if total else 1.0
        return TrackScores(idf1, self._switches, self._objects, self._instances, self._matched)


def true_instances(sample: Sample, class_names: tuple[str, ...]) -> Instances:
    """The objects of a sample as if they had been found, all with score 1, in the sample's order; crowds are left out."""
    corners, runs = [], []
    for mask in sample.masks[~sample.crowd]:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        corners.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        runs.append(rle.encode(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]))
    labels = sample.labels[~sample.crowd]
    boxes, scores = np.array(corners, np.int32).reshape(-1, 4), np.ones(len(runs), np.float32)
    height, width = sample.image.shape[:2]
    return Instances(height, width, boxes, scores, labels, tuple(runs), class_names)


def mask_overlaps(truth: Instances, found: Instances) -> np.ndarray:
    """[G, N] intersection over union of the masks, 0 where the classes differ."""
    first, second = ColumnRuns.from_runs(truth.runs, truth.boxes), ColumnRuns.from_runs(found.runs, found.boxes)
    same = truth.labels[:, None] == found.labels
    pairs = np.argwhere(same)
    shared = intersections(first, second, pairs)
    overlaps = np.zeros(same.shape)
    overlaps[same] = shared / (first.areas[pairs[:, 0]] + second.areas[pairs[:, 1]] - shared)
    return overlaps
