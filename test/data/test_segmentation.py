# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Segmentations in every form that COCO files have, and in forms that they should not have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from fcis_ros import rle
from fcis_ros.data.segmentation import decode_segmentation, encode_segmentation, segmentation_faults, to_instances
from fcis_ros.errors import InputError


def test_decode_two_polygons_give_one_mask():
    mask = decode_segmentation([[0, 0, 3, 0, 3, 3, 0, 3], [5, 5, 9, 5, 9, 9, 5, 9]], 12, 12)
    assert mask.sum() == 9 + 16 and mask[0:3, 0:3].all() and mask[5:9, 5:9].all()


def test_decode_run_lengths_equal_hand_computed_mask():
    # Columns of a 2 x 3 image: (0, 1), (1, 1), (0, 0).
    mask = decode_segmentation({"size": [2, 3], "counts": [1, 3, 2]}, 2, 3)
    assert mask.tolist() == [[False, True, False], [True, True, False]]


@given(arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_decode_of_encoded_mask_gives_the_mask(mask):
    size = list(mask.shape)
    compressed = coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    for counts in (rle.encode(mask).tolist(), compressed):
        np.testing.assert_array_equal(decode_segmentation({"size": size, "counts": counts}, *size), mask)


@given(st.lists(arrays.arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))), max_size=5), st.data())
def test_segmentation_faults_of_many_are_those_of_each(masks, data):
    """Sound ones of all kinds, and some whose image has another number of pixels."""
    segmentations, sizes = [], []
    for mask in masks:
        height, width = mask.shape
        compressed = coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
        counts = data.draw(st.sampled_from([compressed, compressed[:-1] + "0", "0", rle.encode(mask).tolist(), "x", [1]]))
        run_lengths = {"size": [height, width], "counts": counts}
        segmentations.append(data.draw(st.sampled_from([run_lengths, [[0, 0, 3, 0, 3, 3]], [[1]]])))
        sizes.append((height, width))
    faults = segmentation_faults(segmentations, sizes)
    for segmentation, size, fault in zip(segmentations, sizes, faults, strict=True):
        if fault is None:
            encode_segmentation(segmentation, *size)
        else:
            with pytest.raises(InputError) as error:
                encode_segmentation(segmentation, *size)
            assert str(error.value) == fault


def test_decode_empty_list_gives_empty_mask():
    assert decode_segmentation([], 4, 6).shape == (4, 6) and not decode_segmentation([], 4, 6).any()


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [8, 6], "counts": [48]}, r"mask size \[8, 6\] disagrees .* \[6, 8\]"),
        ({"size": [6, 8], "counts": [5]}, "do not add up to the 48 pixels"),
        ({"size": [6, 8], "counts": [50, -2]}, "do not add up"),
        ({"size": [6, 8], "counts": [5, 1_000_000_000]}, "do not add up"),  # stalls pycocotools
        ({"size": [6, 8], "counts": [1.5]}, "neither a string nor a list of whole numbers"),
        ({"size": [6, 8], "counts": None}, "neither a string nor a list of whole numbers"),
        ({"size": [6, 8], "counts": "é"}, "not what COCO's tools write"),
        ({"size": [6, 8], "counts": "o" * 13 + "1"}, "not what COCO's tools write"),
        ({"size": [6, 8], "counts": "oo"}, "not what COCO's tools write"),
        ({"counts": [1]}, "neither polygons nor run lengths"),
        ("text", "neither polygons nor run lengths"),
        ([[1, 2, 3, 4]], "three x, y pairs"),
        ([[1, 2, 3, 4, 5, 6, 7]], "three x, y pairs"),
        ([[1, 2, 3, 4, 5, "6"]], "not a number of pixels"),
        ([[1, 2, 3, 4, 5, float("nan")]], "not a number of pixels"),
        ([[0, 0, 1e6, 0, 0, 1]], "not a number of pixels"),
        ([[-999_999, 0, 999_999, 5] * 10_000], "longer than 1448 pixels"),  # 4e10 pixels, which would need as many bytes
    ],
)
def test_encode_malformed_segmentation_is_refused(segmentation, message):
    with pytest.raises(InputError, match=message):
        encode_segmentation(segmentation, 6, 8)


@pytest.mark.parametrize(("count", "fits"), [(20, True), (60, False)])
def test_decode_outline_longer_than_the_image_is_refused(count, fits):
    """A 10 x 10 image allows 100 + 100 * 20 = 2100 steps; each of the teeth takes 2 * 50 of them."""
    teeth = [[0, 0, 50, 0, 0, 1] * count]
    if fits:
        assert decode_segmentation(teeth, 10, 10).shape == (10, 10)
    else:
        with pytest.raises(InputError, match="longer than 2100 pixels, in an image of 10x10"):
            decode_segmentation(teeth, 10, 10)


DIGITS = "".join(map(chr, range(48, 112)))  # of COCO's compressed counts


@given(
    st.text(max_size=30).map(lambda counts: {"size": [5, 7], "counts": counts})
    | st.text(DIGITS, max_size=30).map(lambda counts: {"size": [5, 7], "counts": counts})
    | st.lists(st.lists(st.floats(), max_size=9), max_size=3)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=6) | st.fixed_dictionaries({"size": st.just([5, 7]), "counts": inner}),
        max_leaves=12,
    )
)
def test_decode_any_value_gives_mask_or_input_error(value):
    try:
        assert decode_segmentation(value, 5, 7).shape == (5, 7)
    except InputError as error:
        assert "\n" not in str(error)


def test_to_instances_empty_masks_are_left_out():
    masks = np.zeros((3, 5, 6), np.uint8)
    masks[0, 1:3, 2:4] = masks[2, 4, 5] = 1
    entries = [{"category_id": label, "segmentation": coco_mask.encode(np.asfortranarray(mask))}
               for label, mask in zip((2, 1, 1), masks, strict=True)]  # fmt: skip
    entries[2]["score"] = 0.25
    instances, kept = to_instances(entries, 5, 6, ("car", "pedestrian"))
    assert kept == [entries[0], entries[2]]
    assert instances.boxes.tolist() == [[2, 1, 4, 3], [5, 4, 6, 5]] and np.array_equal(instances.masks, masks[[0, 2]])
    assert instances.scores.tolist() == [1.0, 0.25] and instances.labels.tolist() == [2, 1]
    assert len(to_instances([], 5, 6, ("car",))[0]) == 0
