# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Masks of messages against the shared vectors and random masks."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fcis_ros.errors import InputError
from fcis_ros.messages.mask_messages import from_message, to_message
from fcis_ros.structures import Instances

VECTORS = json.loads((Path(__file__).parent / "mask_vectors.json").read_text())
NAMES = ("car", "pedestrian", "bicyclist")


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


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=case_name)
def test_from_message_invalid_vector_is_one_line(case):
    with pytest.raises(InputError, match="mask 0: ") as error:
        from_message(message_of(case))
    assert "\n" not in str(error.value)


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


@pytest.mark.parametrize("difference", [-1, 1])
def test_from_message_wrong_area_is_refused(difference):
    message = message_of(VECTORS["valid"][0])
    message.masks[0].area += difference
    with pytest.raises(InputError, match="mask 0: area"):
        from_message(message)


@st.composite
def instances(draw) -> Instances:
    """Up to five overlapping masks with holes."""
    height, width = draw(array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=30))
    count = draw(st.integers(0, 5))
    masks = draw(arrays(bool, (count, height, width), fill=st.just(False)))
    for mask in masks:
        mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    scores = np.sort(draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32))))[::-1]
    return Instances.from_masks(masks, scores, draw(arrays(np.int64, count, elements=st.integers(1, 3))), NAMES)


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
