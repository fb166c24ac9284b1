# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of instances: the map of instance numbers and the overlay, each in one pass over the image."""

import torch
from torch import Tensor


def label_map(boxes: Tensor, runs: Tensor, ends: Tensor, height: int, width: int) -> Tensor:
    """As ``reference.label_map``: instances as ``vote_masks`` gives them -> [H, W] uint16.

    Raises:
        ValueError: an argument's dtype or rank does not fit, or runs do not fill their box; named in the message.
    """
    return torch.ops.fcis_ros.label_map(boxes, runs, ends, height, width)


def paint(image: Tensor, labels: Tensor, colours: Tensor, alpha: float, thickness: int) -> Tensor:
    """As ``reference.paint``: [H, W, 3] uint8, [H, W] uint16, [W, 3] uint8 -> [H, W, 3] uint8.

    Raises:
        ValueError: an argument's dtype or shape does not fit; named in the message.
    """
    return torch.ops.fcis_ros.paint(image, labels, colours, alpha, thickness)


@torch.library.register_fake("fcis_ros::label_map")
def _(boxes: Tensor, runs: Tensor, ends: Tensor, height: int, width: int) -> Tensor:
    return boxes.new_empty((height, width), dtype=torch.uint16)


@torch.library.register_fake("fcis_ros::paint")
def _(image: Tensor, labels: Tensor, colours: Tensor, alpha: float, thickness: int) -> Tensor:
    return torch.empty_like(image)
