# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The canvas of the synthetic scenes: a pinhole camera above a road, and polygons that carry an object number.

World coordinates are metres: x to the right, y up, z forward along the road; the ground is y = 0. The canvas has four
channels, red, green, blue and the number of the object that a pixel belongs to, so that one call paints both the image and its
exact mask. It has twice the size of the image and is reduced at the end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SCALE = 2
NEAR = 0.6
_SHIFT = 3
_LIMIT = 8000.0

Colour = Sequence[float] | np.ndarray


def circle(count: int) -> np.ndarray:
    """Returns [count, 2] points of the unit circle, evenly spaced."""
    angles = np.arange(count) * (2 * np.pi / count)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


_RIM = circle(10)


@dataclass(frozen=True)
class PinholeCamera:
    """A camera above the road.

    Attributes:
        x: position to the right of the world's origin, metres.
        y: height above the road, metres.
        z: position along the road, metres.
        yaw: heading, radians, positive to the right.
        focal: focal length in pixels of the image.
        horizon: image row of the horizon, pixels.
        height: image height, pixels.
        width: image width, pixels.
    """

    x: float
    y: float
    z: float
    yaw: float
    focal: float
    horizon: float
    height: int
    width: int

    def view(self, points: np.ndarray) -> np.ndarray:
        """Transforms world points [..., 3] to the camera's axes: right, up, forward."""
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        return (points - (self.x, self.y, self.z)) @ np.array(((cos, 0.0, sin), (0.0, 1.0, 0.0), (-sin, 0.0, cos)))

    def project(self, viewed: np.ndarray) -> np.ndarray:
        """Projects points [..., 3] in the camera's axes to positions [..., 2] on the (doubled) canvas."""
        factor = (SCALE * self.focal) / np.maximum(viewed[..., 2:], 1e-3)
        position = viewed[..., :2] * factor * (1.0, -1.0) + (SCALE * self.width / 2, SCALE * self.horizon)
        return np.minimum(np.maximum(position, -_LIMIT), _LIMIT)

    def ground_homography(self) -> np.ndarray:
        """Returns the homography [3, 3] from (x, z, 1) on the ground, metres from the camera, to a pixel of the image."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        right, ahead = np.array([cos, -sin, 0.0]), np.array([sin, cos, 0.0])
        down = np.array([0.0, 0.0, self.focal * self.y])
        return np.stack([self.focal * right + self.width / 2 * ahead, self.horizon * ahead + down, ahead])


def turned(points: np.ndarray, yaw: float, scale: float = 1.0) -> np.ndarray:
    """Turns points [..., 3] from an object's axes (forward, up, right) to the world's; ``yaw`` 0 is along the road."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    return points @ (np.array([[sin, 0, cos], [0, 1, 0], [cos, 0, -sin]]) * scale)


def _fixed(pixels: np.ndarray) -> np.ndarray:
    """Returns positions on the canvas in the fixed-point format of the drawing calls."""
    return np.rint(pixels * (1 << _SHIFT)).astype(np.int32)


def clip_near(viewed: np.ndarray) -> np.ndarray:
    """Returns the part of a polygon [N, 3] (camera axes) in front of the near plane; may be empty."""
    depth = viewed[:, 2] - NEAR
    if (depth >= 0).all():
        return viewed
    kept = []
    for i in range(len(viewed)):
        j = (i + 1) % len(viewed)
        if depth[i] >= 0:
            kept.append(viewed[i])
        if (depth[i] >= 0) != (depth[j] >= 0):
            kept.append(viewed[i] + (viewed[j] - viewed[i]) * (depth[i] / (depth[i] - depth[j])))
    return np.array(kept).reshape(-1, 3)


class Canvas:
    """The drawing surface of one camera.

    Attributes:
        camera: camera that projects the world.
        pixels: [2 H, 2 W, 4] uint8: red, green, blue, object number.
        owner: object number that is painted with every polygon; 0 is the ground.
    """

    def __init__(self, camera: PinholeCamera):
        self.camera = camera
        self.pixels = np.zeros((SCALE * camera.height, SCALE * camera.width, 4), np.uint8)
        self.owner = 0

    # OpenCV saturates: colours above 255 need no clipping.
    def _colour(self, colour: Colour) -> tuple[float, float, float, float]:
        return float(colour[0]), float(colour[1]), float(colour[2]), float(self.owner)

    def _in_front(self, points: np.ndarray) -> np.ndarray:
        """Returns the polygons of [P, N, 3] that do not reach the near plane, in the camera's axes."""
        viewed = self.camera.view(points)
        return viewed[(viewed[..., 2] > NEAR).all(axis=1)]

    def fill(self, outline: np.ndarray, colour: Colour) -> None:
        """Fills a polygon [N, 2] given in canvas positions; nothing if it has fewer than three corners."""
        if len(outline) > 2:
            cv2.fillPoly(self.pixels, [_fixed(outline)], self._colour(colour), cv2.LINE_8, _SHIFT)

    def mesh(self, points: np.ndarray, spans: np.ndarray, colours: np.ndarray) -> None:
        """Fills polygons of the world in order, except those smaller than a pixel or outside the frame.

        Args:
            points: [V, 3] corners of all polygons, one polygon after the other.
            spans: [F + 1] index of each polygon's first corner, and V.
            colours: [F, 3] RGB.
        """
        viewed = self.camera.view(points)
        if viewed[:, 2].min() <= NEAR:
            for i, colour in enumerate(colours):
                self.fill(self.camera.project(clip_near(viewed[spans[i] : spans[i + 1]])), colour)
            return
        pixels = self.camera.project(viewed)
        low, high = np.minimum.reduceat(pixels, spans[:-1], axis=0), np.maximum.reduceat(pixels, spans[:-1], axis=0)
        shown = ((high - low).max(axis=1) > SCALE) & (high > 0).all(axis=1) & (low < self.pixels.shape[1::-1]).all(axis=1)
        fixed, colours = _fixed(pixels), np.column_stack([colours, np.full(len(colours), self.owner)]).tolist()
        for i in np.flatnonzero(shown).tolist():
            cv2.fillPoly(self.pixels, [fixed[spans[i] : spans[i + 1]]], colours[i], cv2.LINE_8, _SHIFT)

    def face(self, points: np.ndarray, colour: Colour) -> None:
        """Fills one planar polygon [N, 3] of the world."""
        self.fill(self.camera.project(clip_near(self.camera.view(points))), colour)

    def faces(self, points: np.ndarray, colour: Colour) -> None:
        """Fills disjoint polygons [P, N, 3] of the world, except those that reach the near plane."""
        outlines = list(_fixed(self.camera.project(self._in_front(points))))
        if outlines:
            cv2.fillPoly(self.pixels, outlines, self._colour(colour), cv2.LINE_8, _SHIFT)

    def lines(self, points: np.ndarray, thickness: float, colour: Colour) -> None:
        """Draws segments [P, N, 3] of the world, ``thickness`` metres wide at the first point (at least one pixel)."""
        viewed = self._in_front(points)
        if len(viewed):
            width = max(1, round(SCALE * self.camera.focal * thickness / float(viewed[0, 0, 2])))
            segments = list(_fixed(self.camera.project(viewed)))
            cv2.polylines(self.pixels, segments, False, self._colour(colour), width, cv2.LINE_8, _SHIFT)

    def blobs(self, spheres: np.ndarray, groups: Sequence[slice], colours: np.ndarray, glint: np.ndarray | None = None) -> None:
        """Fills the outline of each group of spheres, farthest group first.

        Args:
            spheres: [K, 4] centre and radius in metres.
            groups: slices of the spheres that form each part.
            colours: [G, 3] RGB, one per group.
            glint: [3] shift, in radii, of a brighter and thinner copy painted over each part, its lit side; None: no copy.
        """
        viewed = self.camera.view(spheres[:, :3])
        if viewed[:, 2].min() <= NEAR:
            return
        outlines = [self._rims(viewed, spheres[:, 3])]
        if glint is not None:
            shifted = spheres[:, :3] + spheres[:, 3:] * glint
            outlines.append(self._rims(self.camera.view(shifted), 0.55 * spheres[:, 3]))
        depth = [-float(viewed[group, 2].mean()) for group in groups]
        for i in sorted(range(len(groups)), key=depth.__getitem__):
            for lit, rims in enumerate(outlines):
                rim = rims[groups[i]]
                hull = rim[0] if len(rim) == 1 else cv2.convexHull(rim.reshape(-1, 2))
                colour = colours[i] * 1.22 + 4 if lit else colours[i]
                cv2.fillConvexPoly(self.pixels, hull, self._colour(colour), cv2.LINE_8, _SHIFT)

    def _rims(self, viewed: np.ndarray, radii: np.ndarray) -> np.ndarray:
        """Returns circles [K, 10, 2] around projected spheres, in the fixed-point format of the drawing calls."""
        size = np.maximum(SCALE * self.camera.focal * radii / viewed[:, 2], 0.5)
        return ((self.camera.project(viewed)[:, None] + size[:, None, None] * _RIM) * (1 << _SHIFT)).astype(np.int32)

    def veil(self, points: np.ndarray, colour: Colour, opacity: float) -> None:
        """Fills a polygon [N, 3] of the world with a translucent colour; all of its pixels belong to ``owner``."""
        outline = self.camera.project(clip_near(self.camera.view(points)))
        if len(outline) < 3:
            return
        height, width = self.pixels.shape[:2]
        x1, y1 = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 1, 0)
        x2, y2 = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 2, (width, height))
        if x1 >= x2 or y1 >= y2:
            return
        after = self.pixels[y1:y2, x1:x2]
        before = after.copy()
        self.fill(outline, colour)
        inside = (before != after).any(axis=2)
        after[inside, :3] = cv2.addWeighted(before, 1 - opacity, after, opacity, 0)[inside, :3]

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the image [H, W, 3] uint8 and the object number [H, W] uint8 of every pixel."""
        size = (self.camera.width, self.camera.height)
        image = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)[..., :3]
        return image, np.ascontiguousarray(self.pixels[1::SCALE, 1::SCALE, 3])
