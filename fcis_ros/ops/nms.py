# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Greedy non-maximum suppression: of one list, and of all classes from one overlap matrix."""

import torch
from torch import Tensor

from fcis_ros.ops.fake_checks import check_tensor


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """Selects boxes by greedy non-maximum suppression; equal scores keep their input order.

    Definition: ``reference.nms``. The size of the result does not depend on the values, so a GPU need not be waited for.

    Args:
        boxes: [R, 4] float32 boxes, first and last pixel; one with a coordinate that is not finite is never kept.
        scores: [R] float32 scores; a box whose score is not finite is never kept.
        threshold: IoU above which a box is dropped in favour of a kept one.
        limit: maximum number of kept boxes, 0 to 2^20.

    Returns:
        [limit] int64 indices of the kept boxes, highest scores first, then -1.

    Raises:
        ValueError: an argument's dtype, rank, size or device does not fit; the message names it.
    """
    return torch.ops.fcis_ros.nms(boxes, scores, threshold, limit)


def class_nms(boxes: Tensor, scores: Tensor, threshold: float, floor: float, limit: int) -> tuple[Tensor, Tensor]:
    """Selects boxes by NMS of every foreground class separately, then the best of all classes.

    Source: released ``tester.py``. Definition: ``reference.class_nms``.

    Args:
        boxes: [R, 4] float32 boxes, first and last pixel, the same for all classes.
        scores: [R, C+1] float32 scores, background first.
        threshold: IoU above which a box is dropped in favour of a kept one of its class.
        floor: minimum score of a box that takes part. NMS is greedy from the top, so lower scores cannot change the result
            above.
        limit: maximum number of results, 0 to 2^20.

    Returns:
        [limit] int64 indices of boxes and [limit] int64 labels, highest scores first, then -1. Of equal scores the lower label
        comes first, then the lower index.

    Raises:
        ValueError: an argument's dtype, rank, size or device does not fit; the message names it.
    """
    return torch.ops.fcis_ros.class_nms(boxes, scores, threshold, floor, limit)


@torch.library.register_fake("fcis_ros::nms")
def _(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    check_tensor("boxes", boxes, (None, 4))
    check_tensor("scores", scores, (boxes.shape[0],))
    return boxes.new_empty((limit,), dtype=torch.long)


@torch.library.register_fake("fcis_ros::class_nms")
def _(boxes: Tensor, scores: Tensor, threshold: float, floor: float, limit: int) -> tuple[Tensor, Tensor]:
    check_tensor("boxes", boxes, (None, 4))
    check_tensor("scores", scores, (boxes.shape[0], None))
    return boxes.new_empty((limit,), dtype=torch.long), boxes.new_empty((limit,), dtype=torch.long)
