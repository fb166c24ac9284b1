# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Mask voting: from the masks of ROIs to run lengths of instances, without a picture per ROI."""

import torch
from torch import Tensor

from fcis_ros.ops.fake_checks import check_tensor


def vote_masks(
    boxes: Tensor, masks: Tensor, index: Tensor, weights: Tensor, height: int, width: int, threshold: float,
    binarise_first: bool, resample: int, capacity: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Computes the mask of every instance: the thresholded weighted mean of its voters' masks, each rendered over its box.

    Masks are rendered by half-pixel bilinear sampling, clamped at their edge. Source: section 3.3 of the paper, released
    ``lib/mask``; [0036] of the patent. Definition: ``reference.vote_masks``.

    The number of run lengths is known only once they are counted, and for that a GPU has to be waited for. With a ``capacity``
    nothing waits; voters with wrong values are then left out on a GPU instead of being reported.

    Args:
        boxes: [R, 4] int32 boxes of ROIs in the original image, first and last pixel, inside the image where the ROI votes.
        masks: [M, S, S] float32 probabilities, S from 1 to 512.
        index: [V, R] int32 index of the mask with which an ROI votes for an instance, -1 where it does not.
        weights: [V, R] float32 weights of the votes, summing to 1 over the voters of an instance.
        height: height of the original image, pixels, 1 to 32768.
        width: width of the original image, pixels, 1 to 32768.
        threshold: minimum of the mean, 0 to 1.
        binarise_first: flag: threshold every mask before averaging (released code) instead of averaging probabilities (patent).
        resample: 0 to threshold the mean as it is; otherwise the number of samples per side, up to 512, to which it is shrunk
            over its tight box before it is enlarged again (released code, which drops masks one pixel wide or high).
        capacity: size of the returned run lengths; None for as many as there are.

    Returns:
        boxes: [V, 4] int32 tight half-open boxes, zeros where no pixel reaches the threshold.
        runs: [T] int32 run lengths of all masks, down the columns of the boxes, background first. With a capacity [capacity]:
            only the first ``ends[-1]`` have a meaning, and an instance whose run lengths do not fit has none there.
        ends: [V] int32 end of each instance's run lengths.

    Raises:
        ValueError: an argument's dtype, rank, size, device or value (a voter's box outside the image, a mask that does not
            exist) does not fit; the message names it.
    """
    return torch.ops.fcis_ros.vote_masks(
        boxes, masks, index, weights, height, width, threshold, binarise_first, resample, capacity
    )


@torch.library.register_fake("fcis_ros::vote_masks")
def _(
    boxes: Tensor, masks: Tensor, index: Tensor, weights: Tensor, height: int, width: int, threshold: float,
    binarise_first: bool, resample: int, capacity: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    check_tensor("boxes", boxes, (None, 4), torch.int32)
    check_tensor("masks", masks, (None, None, None))
    check_tensor("index", index, (None, boxes.shape[0]), torch.int32)
    check_tensor("weights", weights, index.shape)
    total = torch.library.get_ctx().new_dynamic_size() if capacity is None else capacity
    return boxes.new_empty((index.shape[0], 4)), boxes.new_empty((total,)), boxes.new_empty((index.shape[0],))
