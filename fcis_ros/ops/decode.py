# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Box regression: the RPN's anchors into candidates, ROIs into those of the second round."""

from collections.abc import Sequence

import torch
from torch import Tensor


def decode_anchors(
    logits: Tensor, deltas: Tensor, anchors: Tensor, stride: int, height: int, width: int, min_size: float
) -> tuple[Tensor, Tensor]:
    """As ``reference.decode_anchors``: [2A, h, w], [4A, h, w] in any layout, [A, 4] -> boxes [h*w*A, 4], scores [h*w*A].

    Raises:
        ValueError: an argument's dtype, shape or device does not fit; named in the message.
    """
    return torch.ops.fcis_ros.decode_anchors(logits, deltas, anchors, stride, height, width, min_size)


def decode_rois(rois: Tensor, deltas: Tensor, stds: tuple[float, ...], height: int, width: int) -> Tensor:
    """As ``reference.decode_rois``: [R, 5], [R, 4] -> [R, 5].

    Raises:
        ValueError: an argument's dtype, shape or device does not fit; named in the message.
    """
    return torch.ops.fcis_ros.decode_rois(rois, deltas, stds, height, width)


@torch.library.register_fake("fcis_ros::decode_anchors")
def _(
    logits: Tensor, deltas: Tensor, anchors: Tensor, stride: int, height: int, width: int, min_size: float
) -> tuple[Tensor, Tensor]:
    count = logits.shape[1] * logits.shape[2] * anchors.shape[0]
    return anchors.new_empty((count, 4)), anchors.new_empty((count,))


@torch.library.register_fake("fcis_ros::decode_rois")
def _(rois: Tensor, deltas: Tensor, stds: Sequence[float], height: int, width: int) -> Tensor:
    return rois.new_empty(rois.shape)
