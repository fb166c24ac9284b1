# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Masks as vertical strips of foreground: run lengths in the form in which they can be moved, scaled and compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Strips:
    """N masks of one image, each as its strips: stretches of foreground in one column.

    Attributes:
        starts: [N + 1] int64; strips ``starts[i]`` to ``starts[i + 1]`` are those of mask i, by column and then by row.
        x: [S] int64, column of each strip, pixels of the image.
        top: [S] int64, its first row.
        bottom: [S] int64, the row behind its last one.
    """

    starts: np.ndarray
    x: np.ndarray
    top: np.ndarray
    bottom: np.ndarray

    @property
    def areas(self) -> np.ndarray:
        """[N] int64 foreground pixels of each mask."""
        return np.diff(np.concatenate([[0], np.cumsum(self.bottom - self.top)])[self.starts])

    @classmethod
    def from_runs(cls, runs: Sequence[np.ndarray], boxes: np.ndarray) -> "Strips":
        """Masks as ``Instances`` has them: run lengths that fill boxes [N, 4] (x1, y1, x2, y2)."""
        sizes = np.array([len(own) for own in runs], np.int64)
        lengths = np.concatenate([np.zeros(0, np.int64), *runs]).astype(np.int64)
        ends, owners = np.cumsum(lengths), np.repeat(np.arange(len(sizes)), sizes)
        number, pixels = _count(sizes), np.concatenate([[0], ends])[np.cumsum(sizes) - sizes]
        inside = (number % 2 == 1) & (lengths > 0)
        owner, begin, end = owners[inside], (ends - lengths)[inside], ends[inside]
        begin, end, height = begin - pixels[owner], end - pixels[owner], (boxes[:, 3] - boxes[:, 1]).astype(np.int64)[owner]
        # A run that goes on at the top of the next column is several strips.
        first = begin // height
        pieces = (end - 1) // height - first + 1
        owner, height = np.repeat(owner, pieces), np.repeat(height, pieces)
        column = np.repeat(first, pieces) + _count(pieces)
        top = np.maximum(np.repeat(begin, pieces) - column * height, 0)
        bottom = np.minimum(np.repeat(end, pieces) - column * height, height)
        left, above = boxes[:, 0].astype(np.int64)[owner], boxes[:, 1].astype(np.int64)[owner]
        return cls(_starts(owner, len(sizes)), column + left, top + above, bottom + above)

    def moved(self, old: np.ndarray, new: np.ndarray, height: int, width: int) -> "Strips":
        """Every mask moved and scaled as its box is, to the nearest pixel, as far as it stays inside the image.

        Args:
            old: [N, 4] boxes that the masks lie in, of at least one pixel.
            new: [N, 4] float boxes that these become, anywhere; edges are rounded and a side is at least one pixel.
            height: of the image, pixels.
            width: of the image, pixels.
        """
        old, new = old.astype(np.int64), np.rint(new).astype(np.int64)
        new[:, 2:] = np.maximum(new[:, 2:], new[:, :2] + 1)
        left, right = np.clip(new[:, 0], 0, width), np.clip(new[:, 2], 0, width)
        # Every column of the new box shows the one of the old box that its centre falls on.
        columns = right - left
        owner = np.repeat(np.arange(len(old)), columns)
        x = left[owner] + _count(columns)
        old_size, new_size = old[:, 2:] - old[:, :2], new[:, 2:] - new[:, :2]
        source = (2 * (x - new[owner, 0]) + 1) * old_size[owner, 0] // (2 * new_size[owner, 0])
        # Where the strips of each column of each old box are: columns are numbered through all boxes.
        numbers = np.cumsum(old_size[:, 0]) - old_size[:, 0]
        own = np.repeat(np.arange(len(old)), np.diff(self.starts))
        of_column = np.bincount(numbers[own] + self.x - old[own, 0], minlength=int(old_size[:, 0].sum()))
        number = numbers[owner] + source
        pieces = of_column[number]
        strips = np.repeat((np.cumsum(of_column) - of_column)[number], pieces) + _count(pieces)
        owner, x = np.repeat(owner, pieces), np.repeat(x, pieces)
        above, below, tall, high = new[owner, 1], old[owner, 1], new_size[owner, 1], old_size[owner, 1]
        top, bottom = (
            np.clip(above + (2 * (edge[strips] - below) * tall + high) // (2 * high), 0, height)
            for edge in (self.top, self.bottom)
        )
        keep = top < bottom
        return Strips(_starts(owner[keep], len(old)), x[keep], top[keep], bottom[keep])


def intersections(first: Strips, second: Strips, pairs: np.ndarray, height: int) -> np.ndarray:
    """How many pixels masks of one image share.

    Args:
        first: masks.
        second: others, or the same.
        pairs: [P, 2] integers, which of the first and which of the second to compare.
        height: of the image, pixels.

    Returns:
        [P] float64, whole numbers.
    """
    # Column follows column on one long line, and mask follows mask; ``area`` is the foreground of the first ones up to a place.
    columns = 1 + int(max(first.x.max(initial=0), second.x.max(initial=0)))
    owner = np.repeat(np.arange(len(first.starts) - 1), np.diff(first.starts))
    place = (owner * columns + first.x) * height
    places = np.stack([place + first.top, place + first.bottom], 1).ravel()
    length = first.bottom - first.top
    area = np.cumsum(length)
    areas = np.stack([area - length, area], 1).ravel()
    one, other = pairs[:, 0], pairs[:, 1]
    strips = np.diff(second.starts)[other]
    index = np.repeat(second.starts[other], strips) + _count(strips)
    if len(places) == 0 or len(index) == 0:
        return np.zeros(len(pairs))
    base = (np.repeat(one * columns, strips) + second.x[index]) * height
    # Between its knots ``area`` is constant or grows by one a pixel: interpolating integers below 2**53 is exact.
    shared = np.interp(base + second.bottom[index], places, areas) - np.interp(base + second.top[index], places, areas)
    total = np.concatenate([[0.0], np.cumsum(shared)])
    ends = np.cumsum(strips)
    return total[ends] - total[ends - strips]


def _count(sizes: np.ndarray) -> np.ndarray:
    """[3, 2] -> [0, 1, 2, 0, 1]."""
    return np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _starts(owner: np.ndarray, count: int) -> np.ndarray:
    """Where each of ``count`` owners begins in a sorted list of owners."""
    return np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=count))])
