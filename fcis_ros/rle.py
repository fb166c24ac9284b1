# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Masks as run lengths down the columns, background first: COCO's uncompressed order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fcis_ros.errors import InputError


def encode(mask: np.ndarray) -> np.ndarray:
    """Returns the uint32 run lengths of a mask [h, w] bool; the first is 0 where the first pixel is foreground."""
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    edges = np.concatenate([[0], changes, [pixels.size]])
    if pixels.size and pixels[0]:
        edges = np.concatenate([[0], edges])
    return np.diff(edges).astype(np.uint32)


def encode_tight(mask: np.ndarray) -> tuple[tuple[int, int, int, int], np.ndarray]:
    """Encodes a mask [H, W] bool inside its tight box.

    Returns:
        The box x1, y1, x2, y2 in pixels, x2 and y2 exclusive, and the uint32 run lengths inside it.

    Raises:
        ValueError: the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        raise ValueError("the mask is empty")
    x1, y1, x2, y2 = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return (x1, y1, x2, y2), encode(mask[y1:y2, x1:x2])


def joined(runs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Concatenates the run lengths of N masks, [T] int32, and returns where each mask's runs end as well, [N] int32."""
    ends = np.cumsum([len(lengths) for lengths in runs], dtype=np.int32)
    return np.concatenate([np.zeros(0, np.uint32), *runs]).astype(np.int32), ends


def check(runs: Any, height: int, width: int) -> np.ndarray:
    """Checks the run lengths of a mask of this size and returns them as uint32.

    Raises:
        InputError: the runs do not fill the box.
    """
    lengths = np.asarray(runs, dtype=np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != height * width:
        raise InputError(f"rle: runs sum to {int(lengths.sum())}, a box of {width}x{height} needs {height * width}")
    return lengths.astype(np.uint32)


def decode(runs: Any, height: int, width: int) -> np.ndarray:
    """Inverts ``encode``: returns the mask [height, width] bool.

    Raises:
        InputError: the runs do not fill the box.
    """
    lengths = check(runs, height, width)
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape((height, width), order="F")
