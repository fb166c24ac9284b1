# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""InstanceMaskArray in recordings, without ROS: instances -> serialized message -> instances."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from rosbags.typesys.store import Typestore

from fcis_ros import rle
from fcis_ros.errors import InputError
from fcis_ros.messages.mask_messages import MaskMessageTypes, from_message, to_message
from fcis_ros.messages.typestore import message_types
from fcis_ros.package_data import package_file
from fcis_ros.structures import Instances

MASKS = "fcis_ros/msg/InstanceMaskArray"
TRUTH_TOPIC = "/truth/masks"


@cache
def mask_types() -> Typestore:
    """Returns the standard messages and those of this package."""
    return message_types(package_file("msg", "InstanceMaskArray.msg").parent)


def serialize_masks(instances: Instances, header: Any, model: str, ids: Sequence[int] | None = None) -> memoryview:
    """Returns instances as a serialized ``InstanceMaskArray``; arguments as for ``mask_messages.to_message``."""
    types = mask_types().types
    classes = MaskMessageTypes(
        types[MASKS], types["fcis_ros/msg/InstanceMask"], types["sensor_msgs/msg/RegionOfInterest"],
        lambda runs: np.ascontiguousarray(runs, np.uint32),
    )  # fmt: skip
    return mask_types().serialize_cdr(to_message(classes, instances, header, model, ids), MASKS)


def deserialize_masks(raw: bytes | memoryview) -> tuple[Instances, list[int]]:
    """Returns the instances of a serialized message, with the class names that occur in it, and their track ids.

    Raises:
        InputError: the message is damaged.
    """
    try:
        message: Any = mask_types().deserialize_cdr(raw, MASKS)
        return from_message(message), [int(mask.id) for mask in message.masks]
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (the deserializer raises errors of any type on damaged bytes)
        raise InputError(f"damaged ({' '.join(str(error).split())[:200]})") from None


def to_instances(
    objects: Sequence[dict[str, Any]], height: int, width: int, class_names: tuple[str, ...]
) -> tuple[Instances, list]:
    """Returns COCO annotations with compressed masks as instances of score 1, and those annotations whose mask has a pixel."""
    boxes, runs, labels, kept = [], [], [], []
    for annotation in objects:
        mask = coco_mask.decode(annotation["segmentation"]).astype(bool)
        if mask.any():
            box, mask_runs = rle.encode_tight(mask)
            boxes.append(box)
            runs.append(mask_runs)
            labels.append(annotation["category_id"])
            kept.append(annotation)
    shape = np.array(boxes, np.int32).reshape(-1, 4)
    scores = np.ones(len(runs), np.float32)
    return Instances(height, width, shape, scores, np.array(labels, np.int64), tuple(runs), class_names), kept
