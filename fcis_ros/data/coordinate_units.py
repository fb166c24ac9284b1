# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tells polygons in pixels from those that a tool has exported relative to the image: 0 to 1, or per cent."""

from collections.abc import Sequence

import numpy as np

SCALES = {1.0: "normalised to 0..1", 100.0: "in per cent"}  # {largest coordinate: name of the unit}
TOLERANCE = 0.01  # of the largest coordinate, for rounding
MANY = 20  # objects from which it is no chance that all lie in one corner
LARGE = 200  # pixels of the shorter side from which a corner of 100 pixels is a small part


def relative_units(extents: np.ndarray, boxes: np.ndarray, sizes: np.ndarray) -> tuple[str | None, Sequence[str | None]]:
    """Finds polygons whose coordinates are not pixels.

    The evidence of an object is its box in the file, where that is in pixels: it fits the scaled polygon and not the plain one.
    Without such boxes all polygons of the file are taken together. They are normalised if none leaves the image's first pixel;
    they are in per cent if many fill exactly the first hundred pixels of large images.

    Args:
        extents: [N, 4], least x and y and largest x and y of the polygons of each object.
        boxes: [N, 4], the same of the boxes that the file has; NaN where there is none.
        sizes: [N, 2], width and height of the object's image in pixels.

    Returns:
        The unit of all objects, and that of each; None for pixels.
    """
    units: list[str | None] = [None] * len(extents)
    for largest, unit in SCALES.items():
        fits = (extents >= -TOLERANCE * largest).all(1) & (extents <= (1 + TOLERANCE) * largest).all(1)
        scaled = extents * np.tile(sizes, 2) / largest
        proved = fits & _close(scaled, boxes) & ~_close(extents, boxes)
        if len(extents) and fits.all() and (proved.mean() > 0.5 or _fill(extents, sizes, largest)):
            return unit, [unit] * len(extents)
        units = [unit if found else known for found, known in zip(proved.tolist(), units, strict=True)]
    return None, units


def _close(extents: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Returns whether boxes are the same but for rounding; False for NaN."""
    slack = 2 + 0.02 * np.abs(boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True)
    return (np.abs(extents - boxes) <= slack).all(1)


def _fill(extents: np.ndarray, sizes: np.ndarray, largest: float) -> bool:
    if largest == 1:
        return bool((sizes > 2).all())
    reached = (extents[:, 2:].max(0) > 0.9 * largest).all()
    return len(extents) >= MANY and bool(reached) and bool((sizes >= LARGE).all())
