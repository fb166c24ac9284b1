# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Mask voting: from the masks of ROIs to run lengths of instances, without a picture per ROI."""

import torch
from torch import Tensor


def vote_masks(
    boxes: Tensor,
    masks: Tensor,
    index: Tensor,
    weights: Tensor,
    height: int,
    width: int,
    threshold: float,
    binarise_first: bool,
    resample: int,
    capacity: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """As ``reference.vote_masks``: [R, 4], [M, S, S], [W, R], [W, R] -> tight boxes [W, 4], runs [T], ends [W], all int32.

    How many run lengths there are is known once they are counted, and a GPU has to be waited for. With a ``capacity`` nothing
    waits: runs are [capacity], only the first ``ends[-1]`` of them mean something, and a winner whose runs do not fit has none
    there. Voters that are wrong are then left out on a GPU, not reported.

    Raises:
        ValueError: an argument's dtype, rank, device or content (a voter's box outside the image) does not fit; named in the
            message.
    """
    return torch.ops.fcis_ros.vote_masks(
        boxes, masks, index, weights, height, width, threshold, binarise_first, resample, capacity
    )


@torch.library.register_fake("fcis_ros::vote_masks")
def _(
    boxes: Tensor,
    masks: Tensor,
    index: Tensor,
    weights: Tensor,
    height: int,
    width: int,
    threshold: float,
    binarise_first: bool,
    resample: int,
    capacity: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    total = torch.library.get_ctx().new_dynamic_size() if capacity is None else capacity
    return boxes.new_empty((index.shape[0], 4)), boxes.new_empty((total,)), boxes.new_empty((index.shape[0],))
