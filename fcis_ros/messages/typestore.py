# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What recordings hold: topics, message types, and the stamp of a serialized message."""

from functools import cache
from pathlib import Path

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

IMAGE_TOPIC = "/image_raw"
NAMES_TOPIC = "/frame_names"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
STRING = "std_msgs/msg/String"


@cache
def message_types(definitions: Path | None = None) -> Typestore:
    """The standard messages, and the ``*.msg`` files of a folder as messages of fcis_ros."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    types = {}
    for path in sorted(definitions.glob("*.msg")) if definitions else ():
        types |= get_types_from_msg(path.read_text(encoding="utf-8"), f"fcis_ros/msg/{path.stem}")
    store.register(types)
    return store


def header_stamp(raw: bytes | memoryview) -> int | None:
    """The stamp, in nanoseconds, of a serialized message that begins with a std_msgs/Header; None if it is too short."""
    if len(raw) < 12:
        return None
    order = "little" if raw[1] & 1 else "big"
    return int.from_bytes(raw[4:8], order, signed=True) * 1_000_000_000 + int.from_bytes(raw[8:12], order)
