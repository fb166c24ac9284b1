# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Topics and message types of recordings, and the stamp of a serialized message, without ROS."""

import struct
from functools import cache
from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from fcis_ros.package_data import package_file

IMAGE_TOPIC = "/image_raw"
NAMES_TOPIC = "/frame_names"
TRUTH_TOPIC = "/truth/masks"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
STRING = "std_msgs/msg/String"
MASKS = "fcis_ros/msg/InstanceMaskArray"


@cache
def message_types() -> Typestore:
    """Returns the standard messages and those of this package."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    types: dict[str, Any] = {}
    for path in sorted(package_file("msg", "InstanceMaskArray.msg").parent.glob("*.msg")):
        types |= get_types_from_msg(path.read_text(encoding="utf-8"), f"fcis_ros/msg/{path.stem}")
    store.register(types)
    return store


def header_stamp(raw: bytes | memoryview) -> int | None:
    """Returns the stamp, in nanoseconds, of a serialized message that begins with a Header; None if it is too short."""
    if len(raw) < 12:
        return None
    seconds, nanoseconds = struct.unpack_from("<iI" if raw[1] & 1 else ">iI", raw, 4)
    return seconds * 1_000_000_000 + nanoseconds
