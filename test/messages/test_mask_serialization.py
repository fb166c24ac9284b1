# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fcis_ros.errors import InputError
from fcis_ros.messages.mask_serialization import deserialize_masks, serialize_masks
from fcis_ros.messages.typestore import header_stamp, message_types
from fcis_ros.structures import Instances

RUNS = (np.array([0, 4], np.uint32), np.array([1, 11], np.uint32))
INSTANCES = Instances(
    6, 8, np.array([[0, 0, 2, 2], [4, 3, 8, 6]], np.int32), np.array([0.75, 0.5], np.float32), np.array([1, 2]), RUNS,
    ("car", "pedestrian"),
)  # fmt: skip


def test_masks_round_trip_keeps_stamp_instances_and_ids():
    types = message_types().types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](12, 34), "camera")
    raw = serialize_masks(INSTANCES, header, "tiny", [7, 0])
    assert header_stamp(raw) == 12_000_000_034
    instances, ids = deserialize_masks(raw)
    assert ids == [7, 0] and instances.class_names == INSTANCES.class_names
    for name in ("boxes", "scores", "labels", "masks"):
        assert np.array_equal(getattr(instances, name), getattr(INSTANCES, name)), name
    for damaged in (raw[:-9], bytes(len(raw))):
        with pytest.raises(InputError, match="damaged|fill") as error:
            deserialize_masks(damaged)
        assert "\n" not in str(error.value)
