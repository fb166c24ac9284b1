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
from fcis_ros.messages import mask_messages
from fcis_ros.messages.typestore import message_types
from fcis_ros.package_data import package_file
from fcis_ros.structures import Instances

MASKS = "fcis_ros/msg/InstanceMaskArray"
TRUTH_TOPIC = "/truth/masks"


@cache
def mask_types() -> Typestore:
    """The standard messages and our own."""
    return message_types(package_file("msg", "InstanceMaskArray.msg").parent)


def serialize_masks(instances: Instances, header: Any, model: str, ids: Sequence[int] | None = None) -> memoryview:
    """Instances as a serialized message.

    Args:
        instances: of one image.
        header: of the image, taken over as it is.
        model: name of the model.
        ids: [N] track ids, 0 for none; None where nothing is tracked.
    """
    types = mask_types().types
    entries = []
    rows = zip(
        instances.boxes.tolist(), instances.scores.tolist(), instances.labels.tolist(), instances.runs,
        [0] * len(instances) if ids is None else ids, strict=True,
    )  # fmt: skip
    for (x1, y1, x2, y2), score, label, runs, own in rows:
        region = types["sensor_msgs/msg/RegionOfInterest"](x1, y1, y2 - y1, x2 - x1, False)
        name, area = instances.class_names[label - 1], int(runs[1::2].sum())
        lengths = np.ascontiguousarray(runs, np.uint32)
        entries.append(types["fcis_ros/msg/InstanceMask"](int(own), label, name, score, region, area, lengths))
    message = types[MASKS](header, instances.height, instances.width, model, entries)
    return mask_types().serialize_cdr(message, MASKS)


def deserialize_masks(raw: bytes | memoryview) -> tuple[Instances, list[int]]:
    """A serialized message as instances, whose class names are those that occur in it, and their track ids.

    Raises:
        InputError: the message is damaged.
    """
    try:
        message = mask_types().deserialize_cdr(raw, MASKS)
        return mask_messages.from_message(message), [int(mask.id) for mask in message.masks]
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever the deserializer makes of odd bytes)
        raise InputError(f"damaged ({' '.join(str(error).split())[:200]})") from None


def to_instances(
    objects: Sequence[dict[str, Any]], height: int, width: int, class_names: tuple[str, ...]
) -> tuple[Instances, list]:
    """COCO annotations with compressed masks as instances with score 1, and those that are: all with a pixel."""
    boxes, runs, labels, kept = [], [], [], []
    for own in objects:
        mask = coco_mask.decode(own["segmentation"]).astype(bool)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            x1, y1, x2, y2 = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
            boxes.append((x1, y1, x2, y2))
            runs.append(rle.encode(mask[y1:y2, x1:x2]))
            labels.append(own["category_id"])
            kept.append(own)
    shape = np.array(boxes, np.int32).reshape(-1, 4)
    scores = np.ones(len(runs), np.float32)
    return Instances(height, width, shape, scores, np.array(labels, np.int64), tuple(runs), class_names), kept
