# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Box arithmetic of the released FCIS: boxes are x1, y1, x2, y2 of the first and last pixel, so a side is x2 - x1 + 1.

Only boxes inside the network follow this convention; ``structures.Instances`` has half-open boxes.
"""

import torch
from torch import Tensor


def area(boxes: Tensor) -> Tensor:
    """Returns the areas [...] of boxes [..., 4] in pixels."""
    return (boxes[..., 2] - boxes[..., 0] + 1) * (boxes[..., 3] - boxes[..., 1] + 1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Returns the intersection over union of every pair of boxes [A, 4] and [B, 4], [A, B]."""
    # One coordinate at a time: with x and y side by side in the last dimension this takes five times as long.
    left, top, right, bottom = a.T.contiguous()[:, :, None]
    other_left, other_top, other_right, other_bottom = b.T.contiguous()[:, None, :]
    width = (torch.minimum(right, other_right) - torch.maximum(left, other_left) + 1).clamp(min=0)
    common = width * (torch.minimum(bottom, other_bottom) - torch.maximum(top, other_top) + 1).clamp(min=0)
    return common / (area(a)[:, None] + area(b)[None, :] - common)


def encode(boxes: Tensor, targets: Tensor) -> Tensor:
    """Returns the deltas (dx, dy, dw, dh) that ``decode`` turns back into ``targets``; both [R, 4]."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    centre = boxes[:, :2] + 0.5 * (size - 1)
    target_size = targets[:, 2:] - targets[:, :2] + 1
    target_centre = targets[:, :2] + 0.5 * (target_size - 1)
    return torch.cat([(target_centre - centre) / size, torch.log(target_size / size)], dim=1)


def decode(boxes: Tensor, deltas: Tensor) -> Tensor:
    """Moves boxes [R, 4] by deltas [R, 4]; computed in float64, returned in the dtype of ``boxes``.

    The growth of a side is limited to 1000/16, which no trained network reaches and which keeps exp() finite.
    """
    wide, deltas = boxes.double(), deltas.double()
    size = wide[:, 2:] - wide[:, :2] + 1
    centre = wide[:, :2] + 0.5 * (size - 1) + deltas[:, :2] * size
    size = torch.exp(deltas[:, 2:].clamp(max=4.135166556742356)) * size
    return torch.cat([centre - 0.5 * (size - 1), centre + 0.5 * (size - 1)], dim=1).to(boxes.dtype)


def clip(boxes: Tensor, height: float, width: float) -> Tensor:
    """Limits boxes [R, 4] to the pixels 0..width-1 and 0..height-1."""
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    right, bottom = width - 1, height - 1
    return torch.stack([x1.clamp(0, right), y1.clamp(0, bottom), x2.clamp(0, right), y2.clamp(0, bottom)], dim=1)


def grid_anchors(base: Tensor, height: int, width: int, stride: int) -> Tensor:
    """Repeats the anchors [A, 4] of the cell at the origin at every feature cell, row by row: [height*width*A, 4]."""
    rows, columns = torch.arange(height, device=base.device), torch.arange(width, device=base.device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    shift = (torch.stack([x, y, x, y], dim=-1) * stride).to(base)
    return (shift[:, :, None, :] + base).reshape(-1, 4)
