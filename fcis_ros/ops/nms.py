# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Greedy non-maximum suppression: of one list, and of all classes from one overlap matrix."""

import torch
from torch import Tensor


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """As ``reference.nms``: [R, 4], [R] -> [limit] int64 indices, best first, then -1.

    Raises:
        ValueError: an argument's dtype, rank or device does not fit; named in the message.
    """
    return torch.ops.fcis_ros.nms(boxes, scores, threshold, limit)


def class_nms(boxes: Tensor, scores: Tensor, threshold: float, floor: float, limit: int) -> tuple[Tensor, Tensor]:
    """As ``reference.class_nms``: [R, 4], [R, C+1] -> [limit] int64 indices and labels, best first, then -1.

    Raises:
        ValueError: an argument's dtype, rank or device does not fit; named in the message.
    """
    return torch.ops.fcis_ros.class_nms(boxes, scores, threshold, floor, limit)


@torch.library.register_fake("fcis_ros::nms")
def _(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    return boxes.new_empty((limit,), dtype=torch.long)


@torch.library.register_fake("fcis_ros::class_nms")
def _(boxes: Tensor, scores: Tensor, threshold: float, floor: float, limit: int) -> tuple[Tensor, Tensor]:
    return boxes.new_empty((limit,), dtype=torch.long), boxes.new_empty((limit,), dtype=torch.long)
