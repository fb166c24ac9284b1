# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Instances <-> InstanceMaskArray, with masks as run lengths in COCO's uncompressed order."""

from array import array
from typing import Any

import numpy as np

from fcis_ros import rle
from fcis_ros.errors import InputError
from fcis_ros.structures import Instances


def to_message(instances: Instances, header: Any, model: str, ids: np.ndarray | None = None) -> Any:
    """Instances as an ``InstanceMaskArray``.

    Args:
        instances: of one image.
        header: of the image, taken over as it is.
        model: name of the model.
        ids: [N] track ids, 0 for none; None where nothing is tracked.
    """
    from fcis_ros.msg import InstanceMask, InstanceMaskArray

    message = InstanceMaskArray(header=header, height=instances.height, width=instances.width, model=model)
    ids = np.zeros(len(instances), np.uint32) if ids is None else ids
    for box, score, label, runs, own in zip(
        instances.boxes, instances.scores, instances.labels, instances.runs, ids, strict=True
    ):
        x1, y1, x2, y2 = box.tolist()
        mask = InstanceMask(id=int(own), class_id=int(label), class_name=instances.class_names[label - 1], score=float(score))
        mask.roi.x_offset, mask.roi.y_offset, mask.roi.width, mask.roi.height = x1, y1, x2 - x1, y2 - y1
        mask.area = int(runs[1::2].sum())
        mask.rle = array("I", runs.tobytes())
        message.masks.append(mask)
    return message


def from_message(message: Any, class_names: tuple[str, ...] | None = None) -> Instances:
    """An ``InstanceMaskArray`` (or anything with its fields) as instances.

    Args:
        message: what a node published or a bag holds.
        class_names: all names of the model's classes; None takes those that occur, others being called ``class N``.

    Raises:
        InputError: a box outside the image, runs that do not fill it, or a class number that has no name.
    """
    boxes, runs = [], []
    for number, mask in enumerate(message.masks):
        x1, y1 = mask.roi.x_offset, mask.roi.y_offset
        x2, y2 = x1 + mask.roi.width, y1 + mask.roi.height
        if not (x1 < x2 <= message.width and y1 < y2 <= message.height):
            raise InputError(f"mask {number}: box {x1},{y1},{x2},{y2} is not inside the {message.width}x{message.height} image")
        try:
            lengths = rle.check(mask.rle, y2 - y1, x2 - x1)
        except InputError as error:
            raise InputError(f"mask {number}: {error}") from None
        if int(lengths[1::2].sum()) != mask.area:
            raise InputError(f"mask {number}: area {mask.area}, its runs have {int(lengths[1::2].sum())} foreground pixels")
        boxes.append((x1, y1, x2, y2))
        runs.append(lengths)
    labels = np.array([mask.class_id for mask in message.masks], dtype=np.int64)
    if class_names is None:
        known = {mask.class_id: mask.class_name for mask in message.masks}
        class_names = tuple(known.get(label, f"class {label}") for label in range(1, max(known, default=0) + 1))
    if len(labels) and not (1 <= labels.min() and labels.max() <= len(class_names)):
        raise InputError(f"masks: class numbers {labels.min()}..{labels.max()}, there are {len(class_names)} classes")
    return Instances(
        message.height,
        message.width,
        np.array(boxes, dtype=np.int32).reshape(-1, 4),
        np.array([mask.score for mask in message.masks], dtype=np.float32),
        labels,
        tuple(runs),
        class_names,
    )
