# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Masks as column runs, vertical stretches of foreground: a form in which they can be moved, scaled and compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fcis_ros import rle


@dataclass(frozen=True, eq=False)
class ColumnRuns:
    """N masks of one image as column runs: stretches of foreground in one column.

    Attributes:
        starts: [N + 1] int64 offsets; rows ``starts[i]`` to ``starts[i + 1]`` of ``runs`` belong to mask i, by column, then by
            row.
        runs: [S, 3] int32 column runs: column, first row, row behind the last one, pixels of the image.
    """

    starts: np.ndarray
    runs: np.ndarray

    @cached_property
    def areas(self) -> np.ndarray:
        """[N] int64 numbers of foreground pixels of the masks."""
        lengths = self.runs[:, 2] - self.runs[:, 1]
        return np.diff(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])[self.starts])

    @classmethod
    def from_runs(cls, runs: Sequence[np.ndarray], boxes: np.ndarray) -> "ColumnRuns":
        """Converts the masks of ``Instances``.

        Args:
            runs: N run lengths, down the columns of the boxes, background first.
            boxes: [N, 4] half-open boxes x1, y1, x2, y2, pixels of the image.

        Raises:
            ValueError: run lengths have more pixels than their box.
        """
        return cls(*_operator("column_runs", boxes.astype(np.int32), *rle.joined(runs)))

    def of(self, index: int) -> np.ndarray:
        """Returns the column runs [S', 3] of one mask."""
        return self.runs[self.starts[index] : self.starts[index + 1]]

    @classmethod
    def joined(cls, masks: Sequence[np.ndarray]) -> "ColumnRuns":
        """Joins masks of one image, each as its column runs [S', 3] int32."""
        starts = np.cumsum([0, *map(len, masks)], dtype=np.int64)
        return cls(starts, np.concatenate([*masks, np.zeros((0, 3), np.int32)]))

    def moved(self, old: np.ndarray, new: np.ndarray, height: int, width: int) -> "ColumnRuns":
        """Returns the masks moved and scaled as their boxes are, to the nearest pixel, cut at the edge of the image.

        Args:
            old: [N, 4] half-open boxes around the masks, pixels, at least one pixel wide and high.
            new: [N, 4] float boxes in their stead, pixels, anywhere; edges are rounded, a side has at least one pixel.
            height: height of the image, pixels.
            width: width of the image, pixels.
        """
        boxes = old.astype(np.int32), new.astype(np.float64)
        return ColumnRuns(*_operator("move_column_runs", self.starts, self.runs, *boxes, height, width))


def intersections(first: ColumnRuns, second: ColumnRuns, pairs: np.ndarray) -> np.ndarray:
    """Counts the pixels that masks of one image share.

    Args:
        first: masks.
        second: masks to compare with, or the same ones.
        pairs: [P, 2] indices of a mask of ``first`` and one of ``second``.

    Returns:
        [P] int64 numbers of pixels.
    """
    (shared,) = _operator("shared_pixels", first.starts, first.runs, second.starts, second.runs, pairs.astype(np.int64))
    return shared


def _operator(name: str, *arguments: np.ndarray | int) -> list[np.ndarray]:
    """Calls a compiled operator on NumPy arrays."""
    import torch  # late: nodes start, and answer, before PyTorch is imported

    from fcis_ros import ops  # noqa: F401 (loads the library)

    tensors = (torch.from_numpy(np.ascontiguousarray(a)) if isinstance(a, np.ndarray) else a for a in arguments)
    result = getattr(torch.ops.fcis_ros, name)(*tensors)
    return [part.numpy() for part in (result if isinstance(result, tuple) else (result,))]
