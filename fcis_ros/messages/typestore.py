# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Topics and message types of recordings, and InstanceMaskArray as a serialized message, without ROS."""

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from fcis_ros.errors import InputError
from fcis_ros.messages.mask_messages import MaskMessageTypes, from_message, to_message
from fcis_ros.package_data import package_file
from fcis_ros.structures import Instances

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


def serialize_masks(instances: Instances, header: Any, model: str, ids: Sequence[int] | None = None) -> memoryview:
    """Returns instances as a serialized ``InstanceMaskArray``; arguments as for ``mask_messages.to_message``."""
    types = message_types().types
    classes = MaskMessageTypes(
        types[MASKS], types["fcis_ros/msg/InstanceMask"], types["sensor_msgs/msg/RegionOfInterest"],
        lambda runs: np.ascontiguousarray(runs, np.uint32),
    )  # fmt: skip
    return message_types().serialize_cdr(to_message(classes, instances, header, model, ids), MASKS)


def deserialize_masks(raw: bytes | memoryview) -> tuple[Instances, list[int]]:
    """Returns the instances of a serialized message, with the class names that occur in it, and their track ids.

    Raises:
        InputError: the message is damaged.
    """
    try:
        message: Any = message_types().deserialize_cdr(raw, MASKS)
        return from_message(message), [int(mask.id) for mask in message.masks]
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (the deserializer raises errors of any type on damaged bytes)
        raise InputError(f"damaged ({' '.join(str(error).split())[:200]})") from None
