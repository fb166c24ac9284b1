# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""InstanceMaskArray in recordings, without ROS: instances -> serialized message -> instances."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fcis_ros.errors import InputError
from fcis_ros.messages.mask_messages import MaskMessageTypes, from_message, to_message
from fcis_ros.messages.typestore import MASKS, message_types
from fcis_ros.structures import Instances


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
