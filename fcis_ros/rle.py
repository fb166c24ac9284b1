# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Masks as run lengths down the columns, background first: COCO's uncompressed order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fcis_ros.errors import InputError


def encode(mask: np.ndarray) -> np.ndarray:
    """[h, w] bool -> uint32 run lengths; the first is 0 where the first pixel is foreground."""
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    edges = np.concatenate([[0], changes, [pixels.size]])
    if pixels.size and pixels[0]:
        edges = np.concatenate([[0], edges])
    return np.diff(edges).astype(np.uint32)


def joined(runs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Run lengths of N masks as operators take them: one after the other [T] int32, and where each ends [N] int32."""
    ends = np.cumsum([len(own) for own in runs], dtype=np.int32)
    return np.concatenate([np.zeros(0, np.uint32), *runs]).astype(np.int32), ends


def check(runs: Any, height: int, width: int) -> np.ndarray:
    """Run lengths of a mask of this size, from anywhere -> uint32.

    Raises:
        InputError: the runs do not fill the box.
    """
    lengths = np.asarray(runs, dtype=np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != height * width:
        raise InputError(f"rle: runs sum to {int(lengths.sum())}, a box of {width}x{height} needs {height * width}")
    return lengths.astype(np.uint32)


def decode(runs: Any, height: int, width: int) -> np.ndarray:
    """The inverse of ``encode``: run lengths -> [height, width] bool.

    Raises:
        InputError: the runs do not fill the box.
    """
    lengths = check(runs, height, width)
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape((height, width), order="F")
