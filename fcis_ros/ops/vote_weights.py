# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""From ROIs to ballots: their boxes in the original image, and which of them vote for each winner of NMS."""

import torch
from torch import Tensor


def rois_to_image(
    rois: Tensor, scores: Tensor, scale: float, min_size: float, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """As ``reference.rois_to_image``: [R, 4], [R, C+1] -> boxes [R, 4], pixels [R, 4] int32, finite [R] bool.

    Raises:
        ValueError: an argument's dtype, shape or device does not fit; named in the message.
    """
    return torch.ops.fcis_ros.rois_to_image(rois, scores, scale, min_size, height, width)


def vote_weights(
    boxes: Tensor, scores: Tensor, winners: Tensor, labels: Tensor, threshold: float
) -> tuple[Tensor, Tensor, Tensor]:
    """As ``reference.vote_weights``: [R, 4], [R, C+1], [W], [W] -> voters [W, R] int32, weights [W, R], scores [W].

    Raises:
        ValueError: an argument's dtype, shape, device or content does not fit; named in the message. A GPU does not look at
            contents: there, a winner that does not exist has no voters.
    """
    return torch.ops.fcis_ros.vote_weights(boxes, scores, winners, labels, threshold)


@torch.library.register_fake("fcis_ros::rois_to_image")
def _(rois: Tensor, scores: Tensor, scale: float, min_size: float, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    finite = rois.new_empty(rois.shape[:1], dtype=torch.bool)
    return rois.new_empty(rois.shape), rois.new_empty(rois.shape, dtype=torch.int32), finite


@torch.library.register_fake("fcis_ros::vote_weights")
def _(boxes: Tensor, scores: Tensor, winners: Tensor, labels: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    shape = (winners.shape[0], boxes.shape[0])
    return boxes.new_empty(shape, dtype=torch.int32), boxes.new_empty(shape), boxes.new_empty(shape[:1])
