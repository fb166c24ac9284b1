# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of instances: the map of instance numbers and the overlay, each in one pass over the image."""

import torch
from torch import Tensor

from fcis_ros.ops.fake_checks import check_tensor


def label_map(boxes: Tensor, runs: Tensor, ends: Tensor, height: int, width: int) -> Tensor:
    """Computes the number of the best instance at every pixel.

    Definition: ``reference.label_map``. While a CUDA graph is being captured, values are not checked.

    Args:
        boxes: [V, 4] int32 half-open boxes of instances, best first, as ``vote_masks`` returns them; at most 65535.
        runs: [T] int32 run lengths of all masks, down the columns of the boxes, background first.
        ends: [V] int32 end of each instance's run lengths.
        height: height of the image, pixels, 1 to 32768.
        width: width of the image, pixels, 1 to 32768.

    Returns:
        [H, W] uint16 instance numbers, counted from 1; 0 where no instance is.

    Raises:
        ValueError: an argument's dtype or rank does not fit, a box leaves the image, or run lengths do not fill their box; the
            message names it.
    """
    return torch.ops.fcis_ros.label_map(boxes, runs, ends, height, width)


def paint(image: Tensor, labels: Tensor, colours: Tensor, alpha: float, thickness: int) -> Tensor:
    """Computes the overlay: labelled pixels blended with their instance's colour, in full colour at the instance's edge.

    A pixel is at the visible edge if another label is at most ``thickness`` pixels away, straight or diagonally; the border of
    the image is no edge. Definition: ``reference.paint``. While a CUDA graph is being captured, values are not checked.

    Args:
        image: [H, W, 3] uint8 colours.
        labels: [H, W] uint16 instance numbers, as ``label_map`` returns them.
        colours: [V, 3] uint8 colour of each instance.
        alpha: opacity, 0 to 1, in steps of 1/256.
        thickness: width of the edge, pixels, 0 to 255.

    Returns:
        [H, W, 3] uint8 colours.

    Raises:
        ValueError: an argument's dtype or shape does not fit, or a label has no colour; the message names it.
    """
    return torch.ops.fcis_ros.paint(image, labels, colours, alpha, thickness)


@torch.library.register_fake("fcis_ros::label_map")
def _(boxes: Tensor, runs: Tensor, ends: Tensor, height: int, width: int) -> Tensor:
    check_tensor("boxes", boxes, (None, 4), torch.int32)
    check_tensor("runs", runs, (None,), torch.int32)
    check_tensor("ends", ends, (boxes.shape[0],), torch.int32)
    return boxes.new_empty((height, width), dtype=torch.uint16)


@torch.library.register_fake("fcis_ros::paint")
def _(image: Tensor, labels: Tensor, colours: Tensor, alpha: float, thickness: int) -> Tensor:
    check_tensor("image", image, (None, None, 3), torch.uint8)
    check_tensor("labels", labels, image.shape[:2], torch.uint16)
    check_tensor("colours", colours, (None, 3), torch.uint8)
    return torch.empty_like(image)
