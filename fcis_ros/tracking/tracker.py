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

from fcis_ros.column_runs import ColumnRuns, intersections
from fcis_ros.structures import Instances
from fcis_ros.tracking.track import Observation, Track, free_edges, mask_boxes

MAX_GAP = 1.5  # seconds without its instance after which a track ends, those left aside in which another one hides it
MAX_HIDDEN = 5.0  # seconds after which it ends in any case
FIRST = 0.3  # least overlap with which a track that the last frame showed goes before one that it did not
SURE, WEAK = 0.05, 0.5  # least overlap with which a sure and an unsure instance continue a track
ALIKE = 0.3  # share of the smaller mask from which two of one frame are two answers, not one in front of the other
HIDDEN = 0.5  # share of a mask from which it counts as hidden
REACH = 0.3  # of a box's sides: how far off an object may be that has not moved as predicted


@dataclass(frozen=True, eq=False)
class _Observations:
    """N instances of one moment.

    Attributes:
        found: the instances.
        seconds: when.
        sure: [N] bool, those that may begin a track.
        masks: theirs.
        edges: [N, 4] bool, those that are their own, as ``free_edges`` has them.
    """

    found: Instances
    seconds: float
    sure: np.ndarray
    masks: ColumnRuns
    edges: np.ndarray

    @classmethod
    def of(cls, found: Instances, seconds: float, sure: float) -> "_Observations":
        masks = ColumnRuns.from_runs(found.runs, found.boxes)
        edges = free_edges(found.boxes, _apart(masks, found.boxes), found.height, found.width)
        return cls(found, seconds, found.scores >= sure, masks, edges)

    def seen(self, index: int) -> Observation:
        box, runs = self.found.boxes[index], self.masks.of(index).copy()  # no view of the whole frame's
        return Observation(box, runs, int(self.masks.areas[index]), self.edges[index].tolist(), self.seconds)


class Tracker:
    """The tracks of one camera.

    Ids count from 1 and are never used twice, also after a reset. The same frames give the same ids, in whatever order the
    instances of a frame come.
    """

    def __init__(self) -> None:
        self._tracks: list[Track] = []
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
        last, passed = self._now, seconds - self._now
        if passed < 0 or (instances.height, instances.width) != self._size:
            self.reset()
        self._now, self._size = seconds, (instances.height, instances.width)
        self._tracks = [t for t in self._tracks if t.missed + passed <= MAX_GAP and seconds - t.last.seconds <= MAX_HIDDEN]
        order = _canonical(instances)
        frame = _Observations.of(instances.select(order), seconds, sure)
        ids = np.zeros(len(order), np.uint32)
        if self._tracks:
            self._continue(frame, last, ids)
        for index in np.flatnonzero((ids == 0) & frame.sure):
            self._last_id += 1
            ids[index] = self._last_id
            self._tracks.append(Track.begin(self._last_id, int(frame.found.labels[index]), frame.seen(index)))
        result = np.empty_like(ids)
        result[order] = ids
        return result

    def _continue(self, frame: _Observations, last: float, ids: np.ndarray) -> None:
        """Matches, moves the tracks on and writes their ids; the easy cases first, each the best assignment as a whole."""
        pairs, sure = _Pairs(self._tracks, frame), frame.sure
        matches, free = np.full(len(self._tracks), -1), np.ones(len(sure), bool)

        def match(candidates: np.ndarray, similarity: np.ndarray, least: float) -> None:
            usable = (matches < 0)[:, None] & candidates & free & (similarity >= least)
            if usable.any():
                rows, columns = linear_sum_assignment(np.where(usable, similarity, 0), maximize=True)
                rows, columns = rows[usable[rows, columns]], columns[usable[rows, columns]]
                matches[rows], free[columns] = columns, False

        there = np.array([track.last.seconds == last for track in self._tracks])
        match(there[:, None] & sure, pairs.overlap, FIRST)
        match(sure, pairs.overlap, SURE)
        # Only where a track is gone it matters what may hide it.
        covered = np.zeros(len(matches))
        if (matches < 0).any():
            visible, covered = pairs.hide(matches < 0)
            match(sure, visible, SURE)
            match(sure, pairs.nearness(), SURE)
            match(~sure, pairs.overlap, WEAK)
        for row, (track, column) in enumerate(zip(self._tracks, matches.tolist(), strict=True)):
            if column < 0:
                track.missed += frame.seconds - last if covered[row] < HIDDEN else 0
                continue
            track.take(frame.seen(column), pairs.areas[row])
            ids[column] = track.id


class _Pairs:
    """T tracks beside N instances.

    Attributes:
        areas: [T] pixels of the tracks' predicted masks in the image.
        overlap: [T, N] intersection over union of the track's predicted mask and the instance; 0 where classes differ, and
            where boxes and areas tell that it is less than ``SURE``.
    """

    def __init__(self, tracks: list[Track], frame: _Observations):
        instances = frame.found
        self._boxes = instances.boxes
        self._places = np.array([track.predict(frame.seconds) for track in tracks])
        old, new = np.stack([track.mask.box for track in tracks]), mask_boxes(tracks, self._places)
        before = ColumnRuns.joined([track.mask.runs for track in tracks])
        self._before = before.moved(old, new, instances.height, instances.width)
        self._after = frame.masks
        self.areas, other = self._before.areas, self._after.areas
        self._own = np.maximum(self.areas, 1)[:, None]
        self._both, self._shared = self._own + other, np.zeros((len(tracks), len(instances)))
        self._compared = np.zeros(self._shared.shape, bool)
        self._same = np.array([track.label for track in tracks])[:, None] == instances.labels
        self._touching = _box_intersections(np.rint(new), instances.boxes)
        # Boxes and areas bound the overlap of the masks: most pairs need no look at their pixels.
        most = np.minimum(np.minimum(self._own, other), self._touching)
        self._compare(self._same & (most >= SURE * (self._both - most)))
        self.overlap = np.where(self._same, self._shared / (self._both - self._shared), 0)

    def nearness(self) -> np.ndarray:
        """[T, N] intersection over union of the boxes, grown by ``REACH``; 0 where classes differ."""
        return np.where(self._same, _box_ious(_grown(self._places), _grown(self._boxes)), 0)

    def _compare(self, which: np.ndarray) -> None:
        which = which & (self._touching > 0) & ~self._compared
        self._shared[which] = intersections(self._before, self._after, np.argwhere(which))
        self._compared |= which

    def hide(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What instances in front hide of the tracks ``rows`` [T] bool.

        Returns:
            [T, N] overlap without the pixels of the track that other instances hide; [T] share of the track that any instance
            hides. All 0 in other rows.
        """
        self._compare(np.broadcast_to(rows[:, None], self._shared.shape))
        # Who stands lower in the picture stands nearer, and hides; an instance does not hide the track that it may be.
        in_front = self._shared * (self._boxes[:, 3] > self._places[:, 3:]) * rows[:, None]
        covered = in_front.sum(1, keepdims=True)
        hidden = np.clip(covered - in_front, 0, self._own - self._shared)
        visible = self._shared / np.maximum(self._both - self._shared - hidden, 1)
        return np.where(self._same & rows[:, None], visible, 0), (covered / self._own)[:, 0]


def _apart(masks: ColumnRuns, boxes: np.ndarray) -> np.ndarray:
    """[N, N] bool: pairs of a frame's masks that share few pixels; one in front of the other shares none with it."""
    areas = masks.areas
    most = ALIKE * np.minimum(areas[:, None], areas)
    near = np.triu(_box_intersections(boxes, boxes) > most, 1)
    shared = np.zeros(near.shape)
    shared[near] = intersections(masks, masks, np.argwhere(near))
    return shared + shared.T <= most


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
