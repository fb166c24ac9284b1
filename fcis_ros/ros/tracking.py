# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Track ids: which instance of this frame is which of the frames before, by the overlap of their masks.

The order of ByteTrack (Zhang et al., ECCV 2022): sure instances are matched first, unsure ones continue what is left, and only
sure ones begin a track. Masks are compared instead of boxes, moved and scaled as their boxes have been moving; and what another
instance in front hides speaks neither for nor against a match, so that who passes behind a car comes out with the same id.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from fcis_ros.strips import Strips, intersections
from fcis_ros.structures import Instances

MAX_GAP = 1.5  # seconds without its instance after which a track ends, those left aside in which another one hides it
MAX_HIDDEN = 5.0  # seconds after which it ends in any case
SURE, WEAK = 0.05, 0.5  # least overlap with which a sure and an unsure instance continue a track
HIDDEN = 0.5  # share of a mask from which it counts as hidden
REACH = 0.3  # of a box's sides: how far off an object may be that has not moved as predicted
MEMORY = 0.3  # seconds over which velocity is averaged


@dataclass(slots=True)
class _Track:
    """One object.

    Attributes:
        id: its number.
        label: its class.
        box: [4] int32, tight around the mask when that was taken.
        runs: the mask inside the box.
        place: [4] float64, where the box was at ``seen``; elsewhere than ``box`` after frames in which it was partly hidden.
        seen: when it was last matched, seconds.
        velocity: [4] of the place's edges, pixels per second.
        steps: how many displacements the velocity is an average of.
        missed: for how long since it has neither been matched nor hidden, seconds.
    """

    id: int
    label: int
    box: np.ndarray
    runs: np.ndarray
    place: np.ndarray
    seen: float
    velocity: np.ndarray
    steps: int = 0
    missed: float = 0.0

    def predict(self, seconds: float) -> np.ndarray:
        """[4] where its box is then."""
        return self.place + self.velocity * (seconds - self.seen)

    def take(self, box: np.ndarray, runs: np.ndarray, seconds: float) -> None:
        """Goes on with a new mask."""
        self._move(box - self.place, seconds)
        self.box, self.runs = box, runs

    def shift(self, box: np.ndarray, seconds: float) -> None:
        """Goes on with its old mask, moved to where a part of it is seen: the edge that is least off is not hidden."""
        predicted = self.predict(seconds)
        off = box - predicted
        nearer = np.where(np.abs(off[:2]) <= np.abs(off[2:]), off[:2], off[2:])
        self._move(predicted + np.tile(nearer, 2) - self.place, seconds)

    def _move(self, way: np.ndarray, seconds: float) -> None:
        passed = seconds - self.seen
        if passed > 0:
            self.steps += 1
            # The mean at first, then a mean that forgets.
            gain = max(1 - np.exp(-passed / MEMORY), 1 / self.steps)
            self.velocity = self.velocity + gain * (way / passed - self.velocity)
        self.place, self.seen, self.missed = self.place + way, seconds, 0.0


class Tracker:
    """The tracks of one camera.

    Ids count from 1 and are never used twice, also after a reset. The same frames give the same ids, in whatever order the
    instances of a frame come.
    """

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._last_id = 0
        self._now = -np.inf
        self._size = (0, 0)

    def reset(self) -> None:
        """Ends all tracks."""
        self._tracks = []

    def update(self, instances: Instances, seconds: float, sure: float) -> np.ndarray:
        """Says who is who in the next frame.

        Args:
            instances: what was found, unsure ones (from about half of ``sure``) included.
            seconds: the frame's stamp. One before the last frame's, or another image size, ends all tracks.
            sure: score from which an instance begins a track.

        Returns:
            [N] uint32 track ids; 0 for an unsure instance that continues no track.

        Raises:
            ValueError: ``seconds`` is not finite.
        """
        if not math.isfinite(seconds):
            raise ValueError(f"seconds: {seconds} is no time")
        passed = seconds - self._now
        if passed < 0 or (instances.height, instances.width) != self._size:
            self.reset()
        self._now, self._size = seconds, (instances.height, instances.width)
        self._tracks = [t for t in self._tracks if t.missed + passed <= MAX_GAP and seconds - t.seen <= MAX_HIDDEN]
        order = _canonical(instances)
        found = instances.select(order)
        ids = np.zeros(len(found), np.uint32)
        if self._tracks:
            self._continue(found, seconds, passed, found.scores >= sure, ids)
        for index in np.flatnonzero((ids == 0) & (found.scores >= sure)):
            self._last_id += 1
            ids[index] = self._last_id
            box, label = found.boxes[index], int(found.labels[index])
            self._tracks.append(_Track(self._last_id, label, box, found.runs[index], box.astype(float), seconds, np.zeros(4)))
        result = np.empty_like(ids)
        result[order] = ids
        return result

    def _continue(self, found: Instances, seconds: float, passed: float, sure: np.ndarray, ids: np.ndarray) -> None:
        """Matches, moves the tracks on and writes their ids; the easy cases first, each the best assignment as a whole."""
        pairs = _Pairs(self._tracks, found, seconds)
        matches, free = np.full(len(self._tracks), -1), np.ones(len(found), bool)

        def match(candidates: np.ndarray, similarity: np.ndarray, least: float) -> None:
            usable = (matches < 0)[:, None] & candidates & free & (similarity >= least)
            if usable.any():
                rows, columns = linear_sum_assignment(np.where(usable, similarity, 0), maximize=True)
                rows, columns = rows[usable[rows, columns]], columns[usable[rows, columns]]
                matches[rows], free[columns] = columns, False

        match(sure, pairs.overlap, SURE)
        # Only where a track is gone, or most of it, it matters what may hide it.
        gone = matches < 0
        gone[~gone] = pairs.lost[~gone, matches[~gone]] > HIDDEN
        visible, hidden, covered = pairs.hide(gone)
        match(sure, visible, SURE)
        match(sure, pairs.nearness, SURE)
        match(~sure, pairs.overlap, WEAK)
        for row, (track, column) in enumerate(zip(self._tracks, matches.tolist(), strict=True)):
            if column < 0:
                track.missed += passed if covered[row] < HIDDEN else 0
                continue
            lost = pairs.lost[row, column]
            if lost > HIDDEN and hidden[row, column] > HIDDEN * lost:
                track.shift(found.boxes[column], seconds)
            else:
                track.take(found.boxes[column], found.runs[column], seconds)
            ids[column] = track.id


class _Pairs:
    """T tracks beside N instances.

    Attributes:
        overlap: [T, N] intersection over union of the track's predicted mask and the instance; 0 where classes differ, and
            where boxes and areas tell that it is less than ``SURE``.
        nearness: [T, N] intersection over union of their boxes, grown by ``REACH``; 0 where classes differ.
        lost: [T, N] share of the track's pixels that the instance has not, as far as pixels have been compared; 1 elsewhere.
    """

    def __init__(self, tracks: list[_Track], instances: Instances, seconds: float):
        self._boxes = instances.boxes
        old, new = np.stack([track.box for track in tracks]), np.stack([track.predict(seconds) for track in tracks])
        before = Strips.from_runs([track.runs for track in tracks], old)
        self._before = before.moved(old, new, instances.height, instances.width)
        self._after = Strips.from_runs(instances.runs, instances.boxes)
        self._own, other = np.maximum(self._before.areas, 1)[:, None], self._after.areas
        self._new = np.rint(new)
        self._both, self._shared = self._own + other, np.zeros((len(tracks), len(instances)))
        self._compared = np.zeros(self._shared.shape, bool)
        self._same = np.array([track.label for track in tracks])[:, None] == instances.labels
        self._touching = _box_intersections(self._new, instances.boxes)
        # Boxes and areas bound the overlap of the masks: most pairs need no look at their pixels.
        most = np.minimum(np.minimum(self._own, other), self._touching)
        self._compare(self._same & (most >= SURE * (self._both - most)))
        self.overlap = np.where(self._same, self._shared / (self._both - self._shared), 0)
        self.nearness = np.where(self._same, _box_ious(_grown(self._new), _grown(instances.boxes)), 0)

    def _compare(self, which: np.ndarray) -> None:
        which = which & (self._touching > 0) & ~self._compared
        self._shared[which] = intersections(self._before, self._after, np.argwhere(which))
        self._compared |= which
        self.lost = 1 - self._shared / self._own

    def hide(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What instances in front hide of the tracks ``rows`` [T] bool.

        Returns:
            [T, N] overlap without the pixels of the track that other instances hide; [T, N] their share of the track;
            [T] share of the track that any instance hides. All 0 in other rows.
        """
        self._compare(np.broadcast_to(rows[:, None], self._shared.shape))
        # Who stands lower in the picture stands nearer, and hides; an instance does not hide the track that it may be.
        in_front = self._shared * (self._boxes[:, 3] > self._new[:, 3:]) * rows[:, None]
        covered = in_front.sum(1, keepdims=True)
        hidden = np.clip(covered - in_front, 0, self._own - self._shared)
        visible = self._shared / np.maximum(self._both - self._shared - hidden, 1)
        return np.where(self._same & rows[:, None], visible, 0), hidden / self._own, (covered / self._own)[:, 0]


def _canonical(instances: Instances) -> np.ndarray:
    """[N] indices, best first, in an order that does not depend on the one they come in."""
    keys = [
        (-score, label, box, runs.tobytes())
        for score, label, box, runs in zip(
            instances.scores.tolist(), instances.labels.tolist(), instances.boxes.tolist(), instances.runs, strict=True
        )
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.intp)


def _grown(boxes: np.ndarray) -> np.ndarray:
    """Boxes with ``REACH`` of their sides, and at least a pixel, more on every side (Yang et al., WACV 2023)."""
    reach = np.maximum(REACH * (boxes[:, 2:] - boxes[:, :2]), 1)
    return np.concatenate([boxes[:, :2] - reach, boxes[:, 2:] + reach], 1)


def _box_intersections(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[A, 4], [B, 4] -> [A, B] pixels that boxes share."""
    corners = np.maximum(first[:, None, :2], second[:, :2]), np.minimum(first[:, None, 2:], second[:, 2:])
    return np.maximum(corners[1] - corners[0], 0).prod(2)


def _box_ious(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    shared = _box_intersections(first, second)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (first, second)]
    return shared / np.maximum(areas[0][:, None] + areas[1] - shared, 1)
