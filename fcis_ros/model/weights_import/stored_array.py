# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""An array in a file, known by its description before any of its values is read."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fcis_ros.errors import InputError

MAX_ARRAYS = 1 << 16  # in one file; ResNet-152 has about 800
MAX_DIMENSIONS = 32


@dataclass(frozen=True)
class StoredArray:
    """One array of a file.

    Attributes:
        shape: of the array.
        dtype: as NumPy names it, or ``bfloat16``.
        load: reads the values; bfloat16 comes as float32, with the same values.
    """

    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], np.ndarray]


def quoted(name: str) -> str:
    """A name from a file, fit for a line of text: no control characters, not too long."""
    return ascii(name if len(name) <= 80 else name[:77] + "...")


def add(arrays: dict[str, StoredArray], path: object, name: str, array: StoredArray) -> None:
    """Puts ``array`` among the others of its file.

    Raises:
        InputError: there is one of this name already.
    """
    if name in arrays:
        raise InputError(f"{path}: two arrays are called {quoted(name)}")
    arrays[name] = array
