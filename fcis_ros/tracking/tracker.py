# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Track ids: associates the instances of a frame with those of earlier frames, by the overlap of their masks.

The order is ByteTrack's (Zhang et al., ECCV 2022): high-score instances are matched first, low-score ones continue the
remaining tracks, and only high-score ones begin a track. Masks are compared instead of boxes, moved and scaled as their boxes
have been moving. Pixels occluded by a nearer instance do not count, so that a pedestrian who passes behind a car keeps the id.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from fcis_ros.column_runs import ColumnRuns, intersections
from fcis_ros.structures import Instances
from fcis_ros.tracking.track import Observation, Track, mask_boxes, unoccluded_edges

MAX_GAP = 1.5  # seconds without an instance after which a track ends, not counting those in which it is occluded
MAX_OCCLUDED = 5.0  # seconds without an instance after which it ends in any case
MATCH_RECENT = 0.3  # minimum overlap of a high-score instance with a track of the last frame; these are matched first
MATCH_HIGH = 0.05  # minimum overlap of a high-score instance with any track
MATCH_LOW = 0.5  # minimum overlap of a low-score instance with a track
DUPLICATE = 0.3  # share of the smaller mask above which two of a frame are duplicates, not one in front of the other
OCCLUDED = 0.5  # share of a mask from which it counts as occluded
REACH = 0.3  # enlargement of boxes, in sides, for objects that have not moved as predicted


@dataclass(frozen=True, eq=False)
class _Observations:
    """The N instances of one frame.

    Attributes:
        instances: the instances.
        seconds: the time stamp.
        high: [N] bool, those with a high score, which may begin a track.
        masks: the masks as column runs.
        unoccluded: [N, 4] bool, the unoccluded edges.
    """

    instances: Instances
    seconds: float
    high: np.ndarray
    masks: ColumnRuns
    unoccluded: np.ndarray

    @classmethod
    def of(cls, instances: Instances, seconds: float, high_score: float) -> "_Observations":
        masks = ColumnRuns.from_runs(instances.runs, instances.boxes)
        separate = _separate(masks, instances.boxes)
        unoccluded = unoccluded_edges(instances.boxes, separate, instances.height, instances.width)
        return cls(instances, seconds, instances.scores >= high_score, masks, unoccluded)

    def observation(self, index: int) -> Observation:
        box, runs = self.instances.boxes[index], self.masks.of(index).copy()  # a copy, which does not keep the whole frame
        return Observation(box, runs, int(self.masks.areas[index]), self.unoccluded[index].tolist(), self.seconds)


class Tracker:
    """The tracks of one camera.

    Ids count from 1 and are never used twice, also after a reset. They do not depend on the order of a frame's instances.
    """

    def __init__(self) -> None:
        self._tracks: list[Track] = []
        self._last_id = 0
        self._now = -np.inf
        self._size = (0, 0)

    def reset(self) -> None:
        """Ends all tracks."""
        self._tracks = []

    def update(self, instances: Instances, seconds: float, high_score: float) -> np.ndarray:
        """Associates the instances of the next frame with tracks.

        Args:
            instances: the predicted instances, including low-score ones (from about half of ``high_score``).
            seconds: the time stamp of the frame. An earlier one than before, or another image size, ends all tracks.
            high_score: the minimum score of an instance that begins a track, 0 to 1.

        Returns:
            [N] uint32 track ids; 0 for a low-score instance that continues no track.

        Raises:
            ValueError: ``seconds`` is not finite.
        """
        if not math.isfinite(seconds):
            raise ValueError(f"seconds: {seconds} is not finite")
        last, passed = self._now, seconds - self._now
        if passed < 0 or (instances.height, instances.width) != self._size:
            self.reset()
        self._now, self._size = seconds, (instances.height, instances.width)
        self._tracks = [t for t in self._tracks if t.missed + passed <= MAX_GAP and seconds - t.last.seconds <= MAX_OCCLUDED]
        order = _canonical(instances)
        frame = _Observations.of(instances.select(order), seconds, high_score)
        ids = np.zeros(len(order), np.uint32)
        if self._tracks:
            self._continue(frame, last, ids)
        for index in np.flatnonzero((ids == 0) & frame.high):
            self._last_id += 1
            ids[index] = self._last_id
            self._tracks.append(Track.begin(self._last_id, int(frame.instances.labels[index]), frame.observation(index)))
        result = np.empty_like(ids)
        result[order] = ids
        return result

    def _continue(self, frame: _Observations, last: float, ids: np.ndarray) -> None:
        """Matches the frame, updates the tracks and writes their ids; every step is an optimal assignment."""
        pairs, high = _Pairs(self._tracks, frame), frame.high
        matches, unmatched = np.full(len(self._tracks), -1), np.ones(len(high), bool)

        def match(candidates: np.ndarray, similarity: np.ndarray, minimum: float) -> None:
            usable = (matches < 0)[:, None] & candidates & unmatched & (similarity >= minimum)
            if usable.any():
                rows, columns = linear_sum_assignment(np.where(usable, similarity, 0), maximize=True)
                rows, columns = rows[usable[rows, columns]], columns[usable[rows, columns]]
                matches[rows], unmatched[columns] = columns, False

        recent = np.array([track.last.seconds == last for track in self._tracks])
        match(recent[:, None] & high, pairs.overlap, MATCH_RECENT)
        match(high, pairs.overlap, MATCH_HIGH)
        # Occlusion matters for unmatched tracks only.
        occluded = np.zeros(len(matches))
        if (matches < 0).any():
            visible, occluded = pairs.occlude(matches < 0)
            match(high, visible, MATCH_HIGH)
            match(high, pairs.nearness(), MATCH_HIGH)
            match(~high, pairs.overlap, MATCH_LOW)
        for row, (track, column) in enumerate(zip(self._tracks, matches.tolist(), strict=True)):
            if column < 0:
                track.missed += frame.seconds - last if occluded[row] < OCCLUDED else 0
                continue
            track.update(frame.observation(column), pairs.areas[row])
            ids[column] = track.id


class _Pairs:
    """T tracks compared with N instances.

    Attributes:
        areas: [T] the numbers of pixels of the tracks' predicted masks in the image.
        overlap: [T, N] intersection over union of the track's predicted mask and the instance; 0 if the classes differ, or
            if boxes and areas show that it is less than ``MATCH_HIGH``.
    """

    def __init__(self, tracks: list[Track], frame: _Observations):
        instances = frame.instances
        self._boxes = instances.boxes
        self._extents = np.array([track.predict(frame.seconds) for track in tracks])
        old, new = np.stack([track.mask.box for track in tracks]), mask_boxes(tracks, self._extents)
        before = ColumnRuns.joined([track.mask.runs for track in tracks])
        self._predicted = before.moved(old, new, instances.height, instances.width)
        self._masks = frame.masks
        self.areas, other = self._predicted.areas, self._masks.areas
        self._positive_areas = np.maximum(self.areas, 1)[:, None]
        self._area_sums, self._shared = self._positive_areas + other, np.zeros((len(tracks), len(instances)))
        self._compared = np.zeros(self._shared.shape, bool)
        self._same = np.array([track.label for track in tracks])[:, None] == instances.labels
        self._touching = _box_intersections(np.rint(new), instances.boxes)
        # Boxes and areas bound the overlap of the masks: for most pairs the pixels need not be compared.
        most = np.minimum(np.minimum(self._positive_areas, other), self._touching)
        self._compare(self._same & (most >= MATCH_HIGH * (self._area_sums - most)))
        self.overlap = np.where(self._same, self._shared / (self._area_sums - self._shared), 0)

    def nearness(self) -> np.ndarray:
        """Returns [T, N] intersection over union of the boxes enlarged by ``REACH``; 0 if the classes differ."""
        return np.where(self._same, _box_ious(_enlarged(self._extents), _enlarged(self._boxes)), 0)

    def _compare(self, pairs: np.ndarray) -> None:
        pairs = pairs & (self._touching > 0) & ~self._compared
        self._shared[pairs] = intersections(self._predicted, self._masks, np.argwhere(pairs))
        self._compared |= pairs

    def occlude(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Computes what nearer instances occlude of the tracks ``rows`` [T] bool.

        Returns:
            [T, N] overlap without the pixels of the track that other instances occlude, and [T] the occluded share of each
            track. All 0 in other rows.
        """
        self._compare(np.broadcast_to(rows[:, None], self._shared.shape))
        # An instance that ends lower is nearer, and occludes; it does not occlude the track that it may belong to.
        in_front = self._shared * (self._boxes[:, 3] > self._extents[:, 3:]) * rows[:, None]
        occluded = in_front.sum(1, keepdims=True)
        hidden_pixels = np.clip(occluded - in_front, 0, self._positive_areas - self._shared)
        visible = self._shared / np.maximum(self._area_sums - self._shared - hidden_pixels, 1)
        return np.where(self._same & rows[:, None], visible, 0), (occluded / self._positive_areas)[:, 0]


def _separate(masks: ColumnRuns, boxes: np.ndarray) -> np.ndarray:
    """Returns [N, N] bool, the pairs of masks that are no duplicates: one in front of another shares no pixel with it."""
    areas = masks.areas
    most = DUPLICATE * np.minimum(areas[:, None], areas)
    near = np.triu(_box_intersections(boxes, boxes) > most, 1)
    shared = np.zeros(near.shape)
    shared[near] = intersections(masks, masks, np.argwhere(near))
    return shared + shared.T <= most


def _canonical(instances: Instances) -> np.ndarray:
    """Returns [N] indices, highest scores first, in an order that does not depend on that of the instances."""
    keys = [
        (-score, label, box, runs.tobytes())
        for score, label, box, runs in zip(
            instances.scores.tolist(), instances.labels.tolist(), instances.boxes.tolist(), instances.runs, strict=True
        )
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.intp)


def _enlarged(boxes: np.ndarray) -> np.ndarray:
    """Returns boxes enlarged on every side by ``REACH``, at least a pixel (Yang et al., WACV 2023)."""
    reach = np.maximum(REACH * (boxes[:, 2:] - boxes[:, :2]), 1)
    return np.concatenate([boxes[:, :2] - reach, boxes[:, 2:] + reach], 1)


def _box_intersections(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the pixels that boxes share: [A, 4], [B, 4] -> [A, B]."""
    corners = np.maximum(first[:, None, :2], second[:, :2]), np.minimum(first[:, None, 2:], second[:, 2:])
    return np.maximum(corners[1] - corners[0], 0).prod(2)


def _box_ious(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    shared = _box_intersections(first, second)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (first, second)]
    return shared / np.maximum(areas[0][:, None] + areas[1] - shared, 1)
