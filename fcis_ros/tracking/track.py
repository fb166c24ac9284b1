# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One track: where its object is as a whole, also what is hidden of it, and how it moves.

What is seen of an object ends where the object ends, where something nearer begins or where the picture ends. Only edges of the
first kind say where the object is and how fast; behind the others it goes on as it was. Without the difference a car that
slides behind another shrinks and slows down with what is left of it, and whoever comes out beyond is somebody else.
"""

import math
from dataclasses import dataclass

import numpy as np

MEMORY = 0.3  # seconds over which velocity is averaged
MOMENT = 0.001  # seconds between frames up to which a displacement tells no velocity
SHRINKS = 0.5  # share of its width or height that an object keeps until it is seen again
KNOWN = 0.6  # share of a mask's pixels that a partly hidden one must have to take its place
BESIDE = 0.05  # of a box's sides: how near its edge a nearer box must be to hide what comes behind the edge
ALONG = 0.3  # share of the edge along which it must
LEVEL = 0.1  # of a box's height: how much higher a box may end at the bottom and still count as nearer

AXES = ((0, 2), (1, 3))  # the edges of a box by axis: left and right, top and bottom


@dataclass(frozen=True, slots=True)
class Observation:
    """An instance that is, or becomes, a track.

    Attributes:
        box: [4] int32, tight around the mask.
        runs: [S, 3] of the mask, as ``ColumnRuns`` has them.
        area: its pixels.
        free: [4], which edges of the box are the object's own: left, top, right, bottom.
        seconds: when.
    """

    box: np.ndarray
    runs: np.ndarray
    area: int
    free: list[bool]
    seconds: float


@dataclass(slots=True)
class Track:
    """One object. Boxes are (x1, y1, x2, y2), pixels, and reach beyond the image where the object does.

    Attributes:
        id: its number.
        label: its class.
        mask: the instance that shows its mask best.
        origin: where the whole object was then.
        last: the instance that it was matched with last.
        place: where the whole object was then.
        velocity: of the place's edges, pixels per second.
        steps: how many displacements each edge's velocity is an average of.
        missed: for how long since it has neither been matched nor hidden, seconds.
    """

    id: int
    label: int
    mask: Observation
    origin: list[float]
    last: Observation
    place: list[float]
    velocity: list[float]
    steps: list[int]
    missed: float = 0.0

    @classmethod
    def begin(cls, number: int, label: int, seen: Observation) -> "Track":
        """A new object, of which only one instance is known."""
        place = [float(edge) for edge in seen.box]
        return cls(number, label, seen, place, seen, place, [0.0] * 4, [0] * 4)

    def predict(self, seconds: float) -> list[float]:
        """Where the whole object is then; where its edges would come too near each other they go on together."""
        passed = seconds - self.last.seconds
        place = [edge + speed * passed for edge, speed in zip(self.place, self.velocity, strict=True)]
        for low, high in AXES:
            if place[high] - place[low] < SHRINKS * (self.place[high] - self.place[low]):
                way = (self.velocity[low] + self.velocity[high]) / 2 * passed
                place[low], place[high] = self.place[low] + way, self.place[high] + way
        return place

    def take(self, seen: Observation, known: float) -> None:
        """Goes on with what is seen of the object now.

        Args:
            seen: that.
            known: pixels of the track's own mask, moved to now, that lie in the image.
        """
        place, predicted = [float(edge) for edge in seen.box], self.predict(seen.seconds)
        for axis in AXES:
            _complete(place, predicted, seen.free, *axis)
            if seen.seconds - self.last.seconds > MOMENT:
                self._measure(seen, place, axis)
        self.place, self.last, self.missed = place, seen, 0.0
        if all(seen.free) or seen.area >= KNOWN * known:
            self.mask, self.origin = seen, place

    def _measure(self, seen: Observation, place: list[float], axis: tuple[int, int]) -> None:
        """Adds a displacement to the velocity: of edges free now and before; a hidden one moves as the edge across from it."""
        passed = seen.seconds - self.last.seconds
        forgets, changes = 1 - math.exp(-passed / MEMORY), {}
        for edge in axis:
            if seen.free[edge] and self.last.free[edge]:
                self.steps[edge] += 1
                # The mean at first, then a mean that forgets.
                gain = max(forgets, 1 / self.steps[edge])
                changes[edge] = gain * ((place[edge] - self.place[edge]) / passed - self.velocity[edge])
        if not changes and not any(self.steps[edge] for edge in axis):
            # Never yet free on this axis, as in a row of people: what is seen is all that can be known.
            way = sum(float(seen.box[edge] - self.last.box[edge]) / passed - self.velocity[edge] for edge in axis) / 2
            changes = dict.fromkeys(axis, forgets * way)
        for edge in axis if changes else ():
            self.velocity[edge] += changes.get(edge, next(iter(changes.values())))


def _complete(place: list[float], predicted: list[float], own: list[bool], low: int, high: int) -> None:
    """Puts edges that are hidden where the object's size says, or farther out where more of it is seen."""
    size = max(predicted[high] - predicted[low], 1.0)
    if own[low] and own[high]:
        return
    if own[low]:
        place[high] = max(place[high], place[low] + size)
    elif own[high]:
        place[low] = min(place[low], place[high] - size)
    else:  # as it was going to be, moved just so far that what is seen lies inside
        way = max(place[high] - predicted[high], 0.0) + min(place[low] - predicted[low], 0.0)
        place[low], place[high] = min(place[low], predicted[low] + way), max(place[high], predicted[high] + way)


def mask_boxes(tracks: list[Track], places: np.ndarray) -> np.ndarray:
    """[T, 4] where the masks' boxes are when the whole objects are at ``places`` [T, 4]."""
    # As pairs of corners, [T, 2, 2].
    boxes = np.stack([track.mask.box for track in tracks]).reshape(-1, 2, 2)
    origins, corners = np.array([track.origin for track in tracks]).reshape(-1, 2, 2), places.reshape(-1, 2, 2)
    scale = np.diff(corners, axis=1) / np.maximum(np.diff(origins, axis=1), 1)
    return (corners[:, :1] + (boxes - origins[:, :1]) * scale).reshape(-1, 4)


def free_edges(boxes: np.ndarray, apart: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which edges are their objects' own: no nearer box lies behind them, and the image goes on there.

    Who stands lower in the picture stands nearer. Where two end about level, each may hide the other.

    Args:
        boxes: [N, 4] of one image.
        apart: [N, N] bool, which of them may be one in front of the other at all.
        height: of the image, pixels.
        width: of the image, pixels.

    Returns:
        [N, 4] bool.
    """
    boxes = boxes.astype(float)
    free = (boxes > 0) & (boxes < (np.inf, np.inf, width, height))
    sides = boxes[:, 2:] - boxes[:, :2]
    nearer = apart & (boxes[:, 3] > (boxes[:, 3] - LEVEL * sides[:, 1])[:, None])
    np.fill_diagonal(nearer, False)
    for axis, edges in enumerate(AXES):
        other = 1 - axis
        shared = np.minimum(boxes[:, None, other + 2], boxes[:, other + 2]) - np.maximum(boxes[:, None, other], boxes[:, other])
        shares = np.maximum(shared, 0) / sides[:, other, None]
        beside = np.maximum(BESIDE * sides[:, axis], 1.5)
        for edge, way in zip(edges, (-beside, beside), strict=True):
            behind = (boxes[:, edge] + way)[:, None]
            hides = nearer & (boxes[:, axis] <= behind) & (behind <= boxes[:, axis + 2])
            free[:, edge] &= (shares * hides).sum(1) < ALONG
    return free
