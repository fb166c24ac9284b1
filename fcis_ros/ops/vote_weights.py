# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""From ROIs to votes: their boxes in the original image, and the ROIs that vote for each instance kept by NMS."""

import torch
from torch import Tensor

from fcis_ros.ops.fake_checks import check_tensor


def rois_to_image(
    rois: Tensor, scores: Tensor, scale: float, min_size: float, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Computes the boxes of ROIs in the original image.

    Source: released ``tester.py``. Definition: ``reference.rois_to_image``.

    Args:
        rois: [R, 4] float32 boxes in the network's input, first and last pixel.
        scores: [R, C+1] float32 class scores.
        scale: input pixels per pixel of the original image.
        min_size: minimum width and height of an ROI in the network's input, pixels.
        height: height of the original image, pixels, 1 to 32768; boxes are clipped to it.
        width: width of the original image, pixels, 1 to 32768.

    Returns:
        boxes: [R, 4] float32 boxes, NaN for an ROI that is too small or has a value that is not finite.
        pixels: [R, 4] int32, the boxes rounded to the nearest pixel, halves to the even one; 0 for NaN.
        finite: [R] bool, whether box and scores are finite.

    Raises:
        ValueError: an argument's dtype, shape or device does not fit; the message names it.
    """
    return torch.ops.fcis_ros.rois_to_image(rois, scores, scale, min_size, height, width)


def vote_weights(
    boxes: Tensor, scores: Tensor, winners: Tensor, labels: Tensor, threshold: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Computes which ROIs vote for each instance kept by NMS, and with which weights.

    An ROI votes if its IoU with the kept box is at least the threshold; its weight is its score in the instance's class as a
    share of the sum over all voters. Source: released ``mask_voting``, section 3.3 of the paper; [0036] of the
    patent. Definition: ``reference.vote_weights``.

    Args:
        boxes: [R, 4] float32 boxes in the original image, NaN for an ROI without one.
        scores: [R, C+1] float32 probabilities, background first.
        winners: [V] int64 indices of the ROIs kept by NMS, -1 for none.
        labels: [V] int64 classes of the kept ROIs.
        threshold: minimum IoU of a voter with the kept box.

    Returns:
        voters: [V, R] int32, the index of the ROI where it votes, else -1.
        weights: [V, R] float32 weights, 0 where the ROI does not vote.
        scores: [V] float32 scores of the kept ROIs in their classes, 0 for none.

    Raises:
        ValueError: an argument's dtype, shape, device or value does not fit; the message names it. A GPU does not check values:
            there, an index or label that does not exist has no voters.
    """
    return torch.ops.fcis_ros.vote_weights(boxes, scores, winners, labels, threshold)


@torch.library.register_fake("fcis_ros::rois_to_image")
def _(rois: Tensor, scores: Tensor, scale: float, min_size: float, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    check_tensor("rois", rois, (None, 4))
    check_tensor("scores", scores, (rois.shape[0], None))
    finite = rois.new_empty(rois.shape[:1], dtype=torch.bool)
    return rois.new_empty(rois.shape), rois.new_empty(rois.shape, dtype=torch.int32), finite


@torch.library.register_fake("fcis_ros::vote_weights")
def _(boxes: Tensor, scores: Tensor, winners: Tensor, labels: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    check_tensor("boxes", boxes, (None, 4))
    check_tensor("scores", scores, (boxes.shape[0], None))
    check_tensor("winners", winners, (None,), torch.int64)
    check_tensor("labels", labels, winners.shape, torch.int64)
    shape = (winners.shape[0], boxes.shape[0])
    return boxes.new_empty(shape, dtype=torch.int32), boxes.new_empty(shape), boxes.new_empty(shape[:1])
