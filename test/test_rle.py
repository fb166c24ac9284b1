# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Run lengths on paper, there and back, and as pycocotools has them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco

from fcis_ros import rle
from fcis_ros.errors import InputError

VECTORS = json.loads((Path(__file__).parent / "messages" / "mask_vectors.json").read_text())["valid"]


def test_encode_goes_down_the_columns_from_background():
    assert rle.encode(np.array([[0, 1, 1], [1, 1, 0]], bool)).tolist() == [1, 4, 1]
    assert rle.encode(np.array([[1, 0], [1, 0]], bool)).tolist() == [0, 2, 2]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_encode_vectors_match_runs(case):
    x, y, width, height = case["roi"]
    picture = np.array([[character == "#" for character in row] for row in case["picture"]])
    runs = rle.encode(picture[y : y + height, x : x + width])
    if 0 not in case["rle"][1:]:  # an encoder writes no empty runs but the first
        assert runs.tolist() == case["rle"]
    assert runs.dtype == np.uint32 and runs.sum() == width * height


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_decode_inverts_encode_in_the_order_of_coco(mask):
    runs = rle.encode(mask)
    assert np.array_equal(rle.decode(runs, *mask.shape), mask)
    assert np.array_equal(rle.encode(np.asfortranarray(mask)), runs)
    theirs = coco.frPyObjects({"size": list(mask.shape), "counts": runs.tolist()}, *mask.shape)
    assert theirs == coco.encode(np.asfortranarray(mask.astype(np.uint8)))


@example([7, -1], 2, 3)
@given(st.lists(st.integers(-3, 2**32 - 1) | st.integers(-2, 9), max_size=8), st.integers(0, 6), st.integers(0, 6))
def test_decode_any_runs_fill_the_box_or_are_refused(runs, height, width):
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        with pytest.raises(InputError, match=f"a box of {width}x{height} needs {height * width}"):
            rle.decode(runs, height, width)
    else:
        mask = rle.decode(runs, height, width)
        assert mask.shape == (height, width) and mask.sum() == sum(runs[1::2])


def test_encode_tight_mask_gives_box_and_runs_inside():
    mask = np.zeros((5, 6), bool)
    with pytest.raises(ValueError, match="empty"):
        rle.encode_tight(mask)
    mask[1, 2:4] = mask[2, 3] = True
    box, runs = rle.encode_tight(mask)
    assert box == (2, 1, 4, 3) and runs.tolist() == [0, 1, 1, 2]


def test_joined_gives_runs_and_ends():
    runs, ends = rle.joined([np.array([1, 2], np.uint32), np.zeros(0, np.uint32), np.array([3], np.uint32)])
    assert runs.tolist() == [1, 2, 3] and ends.tolist() == [2, 2, 3] and runs.dtype == ends.dtype == np.int32
    assert [part.tolist() for part in rle.joined([])] == [[], []]
