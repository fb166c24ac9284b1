# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""An array in a file, described before its values are read."""

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
        shape: shape of the array.
        dtype: NumPy's name of the type, or ``bfloat16``.
        load: function that reads the values; bfloat16 is returned as float32, with the same values.
    """

    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], np.ndarray]


def quoted(name: str) -> str:
    """Returns a name from a file without control characters, shortened, for a line of text."""
    return ascii(name if len(name) <= 80 else name[:77] + "...")


def add(arrays: dict[str, StoredArray], path: object, name: str, array: StoredArray) -> None:
    """Adds an array to the others of its file.

    Raises:
        InputError: the name is in use.
    """
    if name in arrays:
        raise InputError(f"{path}: two arrays are called {quoted(name)}")
    arrays[name] = array
