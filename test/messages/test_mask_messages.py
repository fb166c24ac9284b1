# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Run lengths against the shared vectors, pycocotools and random masks."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco

from fcis_ros import rle
from fcis_ros.errors import InputError
from fcis_ros.messages.mask_messages import from_message, to_message
from fcis_ros.structures import Instances

VECTORS = json.loads((Path(__file__).parent / "mask_vectors.json").read_text())
NAMES = ("car", "pedestrian", "bicyclist")
crops = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


def case_name(case: dict) -> str:
    return case["name"]


def message_of(case: dict) -> SimpleNamespace:
    """A vector as a message, without ROS."""
    x, y, width, height = case["roi"]
    roi = SimpleNamespace(x_offset=x, y_offset=y, width=width, height=height)
    mask = SimpleNamespace(id=0, class_id=1, class_name="car", score=0.5, roi=roi, area=case["area"], rle=case["rle"])
    return SimpleNamespace(height=case["height"], width=case["width"], model="m", masks=[mask])


def pixels(picture: list[str]) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in picture])


@pytest.mark.parametrize("case", VECTORS["valid"], ids=case_name)
def test_from_message_vectors_match_pictures(case):
    found = from_message(message_of(case))
    assert np.array_equal(found.masks[0], pixels(case["picture"]))


@pytest.mark.parametrize("case", VECTORS["valid"], ids=case_name)
def test_encode_vectors_match_runs(case):
    x, y, width, height = case["roi"]
    runs = rle.encode(pixels(case["picture"])[y : y + height, x : x + width])
    if 0 not in case["rle"][1:]:  # an encoder writes no empty runs but the first
        assert runs.tolist() == case["rle"]
    assert runs.dtype == np.uint32 and runs.sum() == width * height


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=case_name)
def test_from_message_invalid_vector_is_one_line(case):
    with pytest.raises(InputError, match="mask 0: ") as error:
        from_message(message_of(case))
    assert "\n" not in str(error.value)


@given(crops)
def test_rle_round_trip_is_exact(crop):
    assert np.array_equal(rle.decode(rle.encode(crop), *crop.shape), crop)
    assert np.array_equal(rle.decode(rle.encode(np.asfortranarray(crop)), *crop.shape), crop)


@given(crops)
def test_rle_order_equals_coco(crop):
    counts = rle.encode(crop).tolist()
    theirs = coco.frPyObjects({"size": list(crop.shape), "counts": counts}, *crop.shape)
    assert np.array_equal(coco.decode(theirs).astype(bool), crop)
    assert theirs == coco.encode(np.asfortranarray(crop.astype(np.uint8)))


@given(st.lists(st.integers(-3, 2**32 - 1), max_size=8), st.integers(0, 6), st.integers(0, 6))
def test_decode_any_runs_decode_or_are_refused(runs, height, width):
    try:
        crop = rle.decode(runs, height, width)
    except InputError:
        assert sum(runs) != height * width or min(runs, default=0) < 0
    else:
        assert crop.shape == (height, width) and crop.sum() == sum(runs[1::2])


def test_from_message_class_without_name_is_refused():
    message = message_of(VECTORS["valid"][0])
    assert from_message(message).class_names == ("car",)
    assert from_message(message, NAMES).class_names == NAMES
    message.masks[0].class_id = 4
    assert from_message(message).class_names == ("class 1", "class 2", "class 3", "car")
    for wrong in (0, 4):
        message.masks[0].class_id = wrong
        with pytest.raises(InputError, match="class"):
            from_message(message, NAMES)


@st.composite
def instances(draw) -> Instances:
    """Up to five overlapping masks with holes, each cut to its tight box."""
    height, width = draw(array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=30))
    full = [draw(arrays(bool, (height, width), fill=st.just(False))) for _ in range(draw(st.integers(0, 5)))]
    boxes, cut = [], []
    for mask in full:
        mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        cut.append(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    count = len(cut)
    scores = np.sort(draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32))))[::-1]
    labels = draw(arrays(np.int64, count, elements=st.integers(1, 3)))
    boxes = np.array(boxes, np.int32).reshape(-1, 4)
    return Instances(height, width, boxes, scores, labels, tuple(map(rle.encode, cut)), NAMES)


@pytest.mark.ros
@given(instances())
def test_to_message_round_trip_is_exact(found):
    from rclpy.serialization import deserialize_message, serialize_message
    from std_msgs.msg import Header

    from fcis_ros.msg import InstanceMaskArray
    from fcis_ros.ros.camera import MASK_TYPES

    header = Header(frame_id="camera_optical_frame")
    header.stamp.sec, header.stamp.nanosec = 12, 34
    message = to_message(MASK_TYPES, found, header, "model")
    assert [mask.area for mask in message.masks] == [int(crop.sum()) for crop in found.crops]
    received = deserialize_message(serialize_message(message), InstanceMaskArray)
    assert received == message and received.header == header
    back = from_message(received, NAMES)
    assert (back.height, back.width) == (found.height, found.width)
    for name in ("boxes", "scores", "labels", "masks"):
        assert np.array_equal(getattr(back, name), getattr(found, name)), name
