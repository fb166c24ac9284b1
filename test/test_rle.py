# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Run lengths on paper, and there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fcis_ros import rle
from fcis_ros.errors import InputError


def test_encode_goes_down_the_columns_from_background():
    assert rle.encode(np.array([[0, 1, 1], [1, 1, 0]], bool)).tolist() == [1, 4, 1]
    assert rle.encode(np.array([[1, 0], [1, 0]], bool)).tolist() == [0, 2, 2]


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_decode_inverts_encode(mask):
    assert np.array_equal(rle.decode(rle.encode(mask), *mask.shape), mask)


@given(st.lists(st.integers(-2, 9), max_size=6))
def test_decode_runs_that_do_not_fill_the_box_are_refused(runs):
    if min(runs, default=0) < 0 or sum(runs) != 6:
        with pytest.raises(InputError, match="a box of 3x2 needs 6"):
            rle.check(runs, 2, 3)


def test_encode_tight_mask_gives_box_and_runs_inside():
    mask = np.zeros((5, 6), bool)
    mask[1, 2:4] = mask[2, 3] = True
    box, runs = rle.encode_tight(mask)
    assert box == (2, 1, 4, 3) and runs.tolist() == [0, 1, 1, 2]


def test_joined_gives_runs_and_ends():
    runs, ends = rle.joined([np.array([1, 2], np.uint32), np.zeros(0, np.uint32), np.array([3], np.uint32)])
    assert runs.tolist() == [1, 2, 3] and ends.tolist() == [2, 2, 3] and runs.dtype == ends.dtype == np.int32
    assert [part.tolist() for part in rle.joined([])] == [[], []]
