# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checks of JSON values from files that may be damaged."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

NUMBERS: dict[type, set[type]] = {int: {int}, float: {int, float}}  # bool is neither
LIMIT = 2**63


def fits(value: Any, shape: Any) -> bool:
    """Whether a value has a shape.

    Args:
        value: decoded JSON value.
        shape: a type, where float takes whole numbers, too, and a number has to be finite and fit into 64 bits;
            ``{key: shape}`` for an object with these keys at least; ``[shape]`` for a list of any length; a tuple of shapes for
            one of them; None for null.
    """
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(key in value and fits(value[key], expected) for key, expected in shape.items())
    if isinstance(shape, list):
        return isinstance(value, list) and _all_fit(value, shape[0])
    if isinstance(shape, tuple):
        return any(fits(value, option) for option in shape)
    return value is None if shape is None else _all_fit([value], shape)


def _all_fit(values: Sequence[Any], shape: Any) -> bool:
    """Checks all values of a list at once, as columns of numbers are long."""
    if isinstance(shape, list):
        return all(isinstance(value, list) for value in values) and _all_fit([*chain.from_iterable(values)], shape[0])
    if shape in (int, float):
        return NUMBERS[shape].issuperset(map(type, values)) and _bounded(values)
    if isinstance(shape, type):
        return all(isinstance(value, shape) for value in values)
    return all(fits(value, shape) for value in values)


def _bounded(values: Sequence[float]) -> bool:
    try:
        return -LIMIT <= min(values, default=0) and max(values, default=0) < LIMIT and math.isfinite(sum(values))
    except OverflowError:  # a whole number beyond float64, hidden from min and max by NaN
        return False
