# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One track: the extent of its whole object, including occluded parts, and its motion.

A mask ends where its object ends (an unoccluded edge), or where a nearer instance or the picture's edge begins (an occluded
edge). Only unoccluded edges are measurements of the object's position and velocity; at the others its size and velocity stay as
they were. Otherwise a car that passes behind another would seem to shrink and slow down, and would get another id afterwards.
"""

import math
from dataclasses import dataclass

import numpy as np

MEMORY = 0.3  # time constant of the mean velocity, seconds
MIN_INTERVAL = 0.001  # seconds between frames, above which a displacement is a measurement of velocity
MIN_SIZE = 0.5  # share of its width or height below which a predicted box does not shrink
MIN_VISIBLE = 0.6  # share of a mask's pixels from which a partly occluded mask replaces it
OCCLUDER_DISTANCE = 0.05  # largest distance of an occluding box from the edge, in sides of the occluded box
OCCLUDED_LENGTH = 0.3  # share of an edge from which it counts as occluded
NEARER_TOLERANCE = 0.1  # share of a box's height by which a box may end higher and still count as nearer

AXES = ((0, 2), (1, 3))  # the edges of a box by axis: left and right, top and bottom


@dataclass(frozen=True, slots=True)
class Observation:
    """An instance in one frame, matched with a track.

    Attributes:
        box: [4] int32, x1, y1, x2, y2 in pixels, tight around the mask.
        runs: [S, 3] int32 column runs of the mask, as in ``ColumnRuns``.
        area: the number of pixels of the mask.
        unoccluded: [4] whether the left, top, right and bottom edge are unoccluded.
        seconds: the time stamp of the frame.
    """

    box: np.ndarray
    runs: np.ndarray
    area: int
    unoccluded: list[bool]
    seconds: float


@dataclass(slots=True)
class Track:
    """One object. An extent is the box (x1, y1, x2, y2) of the whole object in pixels, which may reach beyond the image.

    Attributes:
        id: the track id, from 1.
        label: the class, 1..C.
        mask: the observation with the most complete mask.
        mask_extent: the extent at the time of ``mask``.
        last: the last observation.
        extent: the extent at the time of ``last``.
        velocity: [4] the velocity of the extent's edges, pixels per second.
        steps: [4] the number of displacements of which each edge's velocity is the mean.
        missed: seconds since ``last`` in which the object was neither matched nor occluded.
    """

    id: int
    label: int
    mask: Observation
    mask_extent: list[float]
    last: Observation
    extent: list[float]
    velocity: list[float]
    steps: list[int]
    missed: float = 0.0

    @classmethod
    def begin(cls, track_id: int, label: int, observation: Observation) -> "Track":
        """Returns a new track with its first observation."""
        extent = [float(edge) for edge in observation.box]
        return cls(track_id, label, observation, extent, observation, extent, [0.0] * 4, [0] * 4)

    def predict(self, seconds: float) -> list[float]:
        """Returns the extent at a time; if the object would shrink below ``MIN_SIZE``, its edges move together."""
        passed = seconds - self.last.seconds
        extent = [edge + speed * passed for edge, speed in zip(self.extent, self.velocity, strict=True)]
        for low, high in AXES:
            if extent[high] - extent[low] < MIN_SIZE * (self.extent[high] - self.extent[low]):
                shift = (self.velocity[low] + self.velocity[high]) / 2 * passed
                extent[low], extent[high] = self.extent[low] + shift, self.extent[high] + shift
        return extent

    def update(self, observation: Observation, mask_area: float) -> None:
        """Continues the track with an observation.

        Args:
            observation: the instance of the object in a later frame.
            mask_area: the number of pixels in the image of the track's mask, moved to the time of the observation.
        """
        extent, predicted = [float(edge) for edge in observation.box], self.predict(observation.seconds)
        for axis in AXES:
            _complete(extent, predicted, observation.unoccluded, *axis)
            if observation.seconds - self.last.seconds > MIN_INTERVAL:
                self._measure(observation, extent, axis)
        self.extent, self.last, self.missed = extent, observation, 0.0
        if all(observation.unoccluded) or observation.area >= MIN_VISIBLE * mask_area:
            self.mask, self.mask_extent = observation, extent

    def _measure(self, observation: Observation, extent: list[float], axis: tuple[int, int]) -> None:
        """Updates the velocity by edges unoccluded now and before; an occluded edge moves as the opposite one."""
        passed = observation.seconds - self.last.seconds
        decay, changes = 1 - math.exp(-passed / MEMORY), {}
        for edge in axis:
            if observation.unoccluded[edge] and self.last.unoccluded[edge]:
                self.steps[edge] += 1
                # The plain mean at first, then an exponential one.
                gain = max(decay, 1 / self.steps[edge])
                changes[edge] = gain * ((extent[edge] - self.extent[edge]) / passed - self.velocity[edge])
        if not changes and not any(self.steps[edge] for edge in axis):
            # Never unoccluded on this axis, as in a row of people: the visible part is the only measurement.
            boxes = observation.box, self.last.box
            change = sum(float(boxes[0][edge] - boxes[1][edge]) / passed - self.velocity[edge] for edge in axis) / 2
            changes = dict.fromkeys(axis, decay * change)
        for edge in axis if changes else ():
            self.velocity[edge] += changes.get(edge, next(iter(changes.values())))


def _complete(extent: list[float], predicted: list[float], unoccluded: list[bool], low: int, high: int) -> None:
    """Moves occluded edges to where the object's size puts them, or farther out where more of it is visible."""
    size = max(predicted[high] - predicted[low], 1.0)
    if unoccluded[low] and unoccluded[high]:
        return
    if unoccluded[low]:
        extent[high] = max(extent[high], extent[low] + size)
    elif unoccluded[high]:
        extent[low] = min(extent[low], extent[high] - size)
    else:  # as predicted, shifted just so far that the visible part lies inside
        shift = max(extent[high] - predicted[high], 0.0) + min(extent[low] - predicted[low], 0.0)
        extent[low], extent[high] = min(extent[low], predicted[low] + shift), max(extent[high], predicted[high] + shift)


def mask_boxes(tracks: list[Track], extents: np.ndarray) -> np.ndarray:
    """Returns [T, 4] the boxes of the tracks' masks when the whole objects are at ``extents`` [T, 4]."""
    # As pairs of corners, [T, 2, 2].
    boxes = np.stack([track.mask.box for track in tracks]).reshape(-1, 2, 2)
    before, after = np.array([track.mask_extent for track in tracks]).reshape(-1, 2, 2), extents.reshape(-1, 2, 2)
    scale = np.diff(after, axis=1) / np.maximum(np.diff(before, axis=1), 1)
    return (after[:, :1] + (boxes - before[:, :1]) * scale).reshape(-1, 4)


def unoccluded_edges(boxes: np.ndarray, separate: np.ndarray, height: int, width: int) -> np.ndarray:
    """Finds the edges that neither a nearer box nor the picture's edge occludes.

    An instance that ends lower in the picture is nearer. If two end at about the same height, each may occlude the other.

    Args:
        boxes: [N, 4] the boxes of one image, pixels.
        separate: [N, N] bool, the pairs that may occlude one another.
        height: the height of the image, pixels.
        width: the width of the image, pixels.

    Returns:
        [N, 4] bool, for left, top, right and bottom.
    """
    boxes = boxes.astype(float)
    unoccluded = (boxes > 0) & (boxes < (np.inf, np.inf, width, height))
    sides = boxes[:, 2:] - boxes[:, :2]
    nearer = separate & (boxes[:, 3] > (boxes[:, 3] - NEARER_TOLERANCE * sides[:, 1])[:, None])
    np.fill_diagonal(nearer, False)
    for axis, edges in enumerate(AXES):
        other = 1 - axis
        shared = np.minimum(boxes[:, None, other + 2], boxes[:, other + 2]) - np.maximum(boxes[:, None, other], boxes[:, other])
        shares = np.maximum(shared, 0) / sides[:, other, None]
        distance = np.maximum(OCCLUDER_DISTANCE * sides[:, axis], 1.5)
        for edge, offset in zip(edges, (-distance, distance), strict=True):
            outside = (boxes[:, edge] + offset)[:, None]
            occludes = nearer & (boxes[:, axis] <= outside) & (outside <= boxes[:, axis + 2])
            unoccluded[:, edge] &= (shares * occludes).sum(1) < OCCLUDED_LENGTH
    return unoccluded
