# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Box regression: the RPN's anchors into proposals, ROIs into those of the second round."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fcis_ros.ops.fake_checks import check_tensor


def decode_anchors(
    logits: Tensor, deltas: Tensor, anchors: Tensor, stride: int, height: int, width: int, min_size: float
) -> tuple[Tensor, Tensor]:
    """Computes the RPN's proposals: the anchors of every feature cell, moved by their deltas and clipped, with scores.

    Source: the RPN of Faster R-CNN, section 3.1 of the paper. A side grows at most by the factor 1000/16. Definition:
    ``reference.decode_anchors``.

    Args:
        logits: [2A, h, w] float32 in any memory layout: A background logits, then A object logits.
        deltas: [4A, h, w] float32 in any memory layout: dx, dy, dw, dh of the first anchor, then of the second.
        anchors: [A, 4] float32 boxes of the cell at the origin, first and last pixel.
        stride: input pixels per feature cell, 1 to 4096.
        height: height of the network's input, pixels, 1 to 32768; boxes are clipped to it.
        width: width of the network's input, pixels, 1 to 32768.
        min_size: minimum width and height of a proposal, pixels.

    Returns:
        [h*w*A, 4] float32 boxes and [h*w*A] float32 object probabilities, cell by cell, row by row. The score of a box that is
        too small, and of values that are not finite, is -inf.

    Raises:
        ValueError: an argument's dtype, shape or device does not fit; the message names it.
    """
    return torch.ops.fcis_ros.decode_anchors(logits, deltas, anchors, stride, height, width, min_size)


def decode_rois(rois: Tensor, deltas: Tensor, stds: tuple[float, ...], height: int, width: int) -> Tensor:
    """Computes the ROIs of the second round: those of the first, moved by their deltas and clipped to the image.

    Source: section 3.3 of the paper (inference refines the ROIs once). Definition: ``reference.decode_rois``.

    Args:
        rois: [R, 5] float32 boxes: image index, first and last pixel of the network's input.
        deltas: [R, 4] float32 normalised deltas, as ``box_deltas`` returns them.
        stds: 4 standard deviations, factors for the deltas.
        height: height of the network's input, pixels, 1 to 32768.
        width: width of the network's input, pixels, 1 to 32768.

    Returns:
        [R, 5] float32 boxes with the image index unchanged.

    Raises:
        ValueError: an argument's dtype, shape or device does not fit; the message names it.
    """
    return torch.ops.fcis_ros.decode_rois(rois, deltas, stds, height, width)


@torch.library.register_fake("fcis_ros::decode_anchors")
def _(
    logits: Tensor, deltas: Tensor, anchors: Tensor, stride: int, height: int, width: int, min_size: float
) -> tuple[Tensor, Tensor]:
    check_tensor("anchors", anchors, (None, 4))
    check_tensor("logits", logits, (2 * anchors.shape[0], None, None))
    check_tensor("deltas", deltas, (4 * anchors.shape[0], *logits.shape[1:]))
    count = logits.shape[1] * logits.shape[2] * anchors.shape[0]
    return anchors.new_empty((count, 4)), anchors.new_empty((count,))


@torch.library.register_fake("fcis_ros::decode_rois")
def _(rois: Tensor, deltas: Tensor, stds: Sequence[float], height: int, width: int) -> Tensor:
    check_tensor("rois", rois, (None, 5))
    check_tensor("deltas", deltas, (rois.shape[0], 4))
    return rois.new_empty(rois.shape)
