# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Boxes -> points to sample at, and the bilinear warp of features to a fixed size that MNC has and FCIS does without."""

import torch
import torch.nn.functional as F
from torch import Tensor


def sample_points(boxes: Tensor, size: int, stride: float, height: int, width: int) -> Tensor:
    """[R, size, size, 2] points for ``grid_sample``: the middles of size x size equal parts of each box.

    Args:
        boxes: [R, 4] first and last pixel; NaN becomes the pixel at the origin.
        size: number of parts a side.
        stride: pixels per cell of what is sampled.
        height: height of what is sampled, in cells.
        width: width of what is sampled, in cells.
    """
    boxes = torch.nan_to_num(boxes)
    middles = (torch.arange(size, device=boxes.device) + 0.5) / size
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    x = (boxes[:, :1] + middles * sides[:, :1]) * (2 / (stride * width)) - 1
    y = (boxes[:, 1:2] + middles * sides[:, 1:]) * (2 / (stride * height)) - 1
    return torch.stack([x[:, None].expand(-1, size, -1), y[..., None].expand(-1, -1, size)], dim=-1)


def warp(features: Tensor, boxes: Tensor, size: int, stride: float) -> Tensor:
    """The features of one image [1, D, h, w] inside each of its boxes [R, 4] -> [R, D, size, size]; zero outside the image.

    One call samples for all boxes, so that the features are not repeated for each.
    """
    points = sample_points(boxes, size, stride, *features.shape[2:]).reshape(1, -1, size, 2)
    warped = F.grid_sample(features, points, align_corners=False)
    # In order, otherwise every following layer makes a copy.
    return warped.reshape(features.shape[1], -1, size, size).transpose(0, 1).contiguous()
