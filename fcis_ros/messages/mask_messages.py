# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Instances <-> InstanceMaskArray, with masks as run lengths in COCO's uncompressed order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcis_ros import rle
from fcis_ros.errors import InputError
from fcis_ros.structures import Instances


@dataclass(frozen=True)
class MaskMessageTypes:
    """The message classes to build masks from: rclpy's generated ones, or a recording library's.

    Attributes:
        array: the class ``InstanceMaskArray``.
        mask: the class ``InstanceMask``.
        region: the class ``sensor_msgs/RegionOfInterest``.
        run_lengths: conversion of [n] uint32 to the type of a message's ``uint32[]`` field.
    """

    array: Callable[..., Any]
    mask: Callable[..., Any]
    region: Callable[..., Any]
    run_lengths: Callable[[np.ndarray], Any]


def to_message(
    types: MaskMessageTypes, instances: Instances, header: Any, model: str, ids: Sequence[int] | np.ndarray | None = None
) -> Any:
    """Returns instances as an ``InstanceMaskArray``.

    Args:
        types: the message classes to use.
        instances: the instances of one image.
        header: the header of the image, used as it is.
        model: the name of the model.
        ids: [N] track ids, 0 for none; None without tracking.
    """
    masks = []
    rows = zip(
        instances.boxes.tolist(), instances.scores.tolist(), instances.labels.tolist(), instances.runs,
        [0] * len(instances) if ids is None else ids, strict=True,
    )  # fmt: skip
    for (x1, y1, x2, y2), score, label, runs, track_id in rows:
        region = types.region(x_offset=x1, y_offset=y1, height=y2 - y1, width=x2 - x1, do_rectify=False)
        mask = types.mask(
            id=int(track_id), class_id=label, class_name=instances.class_names[label - 1], score=score, roi=region,
            area=int(runs[1::2].sum()), rle=types.run_lengths(runs),
        )  # fmt: skip
        masks.append(mask)
    return types.array(header=header, height=instances.height, width=instances.width, model=model, masks=masks)


def from_message(message: Any, class_names: tuple[str, ...] | None = None) -> Instances:
    """Returns the instances of an ``InstanceMaskArray``, or of any object with its fields.

    Args:
        message: the message, as published or recorded.
        class_names: the names of the model's classes; None takes them from the masks, and calls missing ones ``class N``.

    Raises:
        InputError: a box outside the image, runs that do not fill it, or a class number that has no name.
    """
    boxes, runs = [], []
    for index, mask in enumerate(message.masks):
        x1, y1 = mask.roi.x_offset, mask.roi.y_offset
        x2, y2 = x1 + mask.roi.width, y1 + mask.roi.height
        if not (x1 < x2 <= message.width and y1 < y2 <= message.height):
            raise InputError(f"mask {index}: box {x1},{y1},{x2},{y2} is not inside the {message.width}x{message.height} image")
        try:
            lengths = rle.check(mask.rle, y2 - y1, x2 - x1)
        except InputError as error:
            raise InputError(f"mask {index}: {error}") from None
        if int(lengths[1::2].sum()) != mask.area:
            raise InputError(f"mask {index}: area {mask.area}, its runs have {int(lengths[1::2].sum())} foreground pixels")
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
