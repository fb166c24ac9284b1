# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.data.coordinate_units import relative_units

SIZE = (480, 360)


def pixels(count: int = 30, most: int = 50) -> np.ndarray:
    """Extents of objects all over the image."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0, (SIZE[0] - most, SIZE[1] - most), (count, 2))
    return np.concatenate([low, low + rng.uniform(5, most, (count, 2))], axis=1)


def units(extents, boxes=None, size=SIZE):
    boxes = np.full(extents.shape, np.nan) if boxes is None else boxes
    return relative_units(extents, boxes, np.tile(np.array(size, float), (len(extents), 1)))


@pytest.mark.parametrize(("largest", "unit"), [(1, "normalised to 0..1"), (100, "in per cent")])
@pytest.mark.parametrize("with_boxes", [True, False])
def test_relative_units_scaled_polygons_are_recognised(largest, unit, with_boxes):
    objects = pixels()
    scaled = objects / np.tile(SIZE, 2) * largest
    scaled[0, 2:] = 0.97 * largest
    found, each = units(scaled, objects if with_boxes else None)
    assert found == unit and set(each) == {unit}
    assert units(scaled, scaled)[0] == unit  # boxes in the same unit


def test_relative_units_pixels_are_pixels():
    objects = pixels()
    assert units(objects) == (None, [None] * 30) == units(objects, objects)
    assert units(np.zeros((0, 4))) == (None, [])


@pytest.mark.parametrize("count", [1, 5, 100])
def test_relative_units_small_objects_in_a_corner_are_pixels(count):
    """A camera that sees all its objects in one corner: their boxes agree, or they do not fill a hundred pixels."""
    corner = np.tile([3.0, 4, 60, 50], (count, 1))
    assert units(corner)[0] is None and units(corner, corner)[0] is None
    whole = np.tile([3.0, 4, 97, 99], (count, 1))
    assert units(whole, size=(100, 100))[0] is None and units(whole, size=(128, 128))[0] is None


def test_relative_units_some_scaled_objects_are_named_alone():
    objects = pixels()
    mixed = objects.copy()
    mixed[:3] = objects[:3] / np.tile(SIZE, 2)
    found, each = units(mixed, objects)
    assert found is None and each == ["normalised to 0..1"] * 3 + [None] * 27


@given(st.lists(st.tuples(*4 * [st.floats(-10, 500)]), max_size=5), st.floats() | st.none())
def test_relative_units_any_numbers_give_an_answer(rows, box):
    extents = np.array(rows, float).reshape(-1, 4)
    found, each = units(extents, None if box is None else np.full(extents.shape, box))
    assert len(each) == len(rows) and (found is None or set(each) == {found})
