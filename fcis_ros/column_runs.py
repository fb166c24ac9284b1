# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Masks as vertical strips of foreground: run lengths in the form in which they can be moved, scaled and compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fcis_ros import rle


@dataclass(frozen=True, eq=False)
class ColumnRuns:
    """N masks of one image, each as its strips: stretches of foreground in one column.

    Attributes:
        starts: [N + 1] int64; strips ``starts[i]`` to ``starts[i + 1]`` are those of mask i, by column and then by row.
        runs: [S, 3] int32: column, first row, the row behind the last one, pixels of the image.
    """

    starts: np.ndarray
    runs: np.ndarray

    @cached_property
    def areas(self) -> np.ndarray:
        """[N] int64 foreground pixels of each mask."""
        lengths = self.runs[:, 2] - self.runs[:, 1]
        return np.diff(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])[self.starts])

    @classmethod
    def from_runs(cls, runs: Sequence[np.ndarray], boxes: np.ndarray) -> "ColumnRuns":
        """Masks as ``Instances`` has them: run lengths that fill boxes [N, 4] (x1, y1, x2, y2).

        Raises:
            ValueError: runs are more than their box has pixels.
        """
        return cls(*_operator("column_runs", boxes.astype(np.int32), *rle.joined(runs)))

    def of(self, index: int) -> np.ndarray:
        """[S', 3] strips of one mask."""
        return self.runs[self.starts[index] : self.starts[index + 1]]

    @classmethod
    def joined(cls, masks: Sequence[np.ndarray]) -> "ColumnRuns":
        """Masks of one image, each as its strips."""
        starts = np.cumsum([0, *map(len, masks)], dtype=np.int64)
        return cls(starts, np.concatenate([*masks, np.zeros((0, 3), np.int32)]))

    def moved(self, old: np.ndarray, new: np.ndarray, height: int, width: int) -> "ColumnRuns":
        """Every mask moved and scaled as its box is, to the nearest pixel, as far as it stays inside the image.

        Args:
            old: [N, 4] boxes that the masks lie in, of at least one pixel.
            new: [N, 4] float boxes that these become, anywhere; edges are rounded and a side is at least one pixel.
            height: of the image, pixels.
            width: of the image, pixels.
        """
        boxes = old.astype(np.int32), new.astype(np.float64)
        return ColumnRuns(*_operator("move_column_runs", self.starts, self.runs, *boxes, height, width))


def intersections(first: ColumnRuns, second: ColumnRuns, pairs: np.ndarray) -> np.ndarray:
    """How many pixels masks of one image share.

    Args:
        first: masks.
        second: others, or the same.
        pairs: [P, 2] integers, which of the first and which of the second to compare.

    Returns:
        [P] int64.
    """
    (shared,) = _operator("shared_pixels", first.starts, first.runs, second.starts, second.runs, pairs.astype(np.int64))
    return shared


def _operator(name: str, *arguments: np.ndarray | int) -> list[np.ndarray]:
    """Calls a compiled operator; what it returns."""
    import torch  # late: nodes start, and answer, before it is there

    from fcis_ros import ops  # noqa: F401 (loads the library)

    given = (torch.from_numpy(np.ascontiguousarray(a)) if isinstance(a, np.ndarray) else a for a in arguments)
    found = getattr(torch.ops.fcis_ros, name)(*given)
    return [part.numpy() for part in (found if isinstance(found, tuple) else (found,))]
