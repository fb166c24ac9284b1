# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Definition of ``ops.patent`` in plain PyTorch, with its arguments; autograd differentiates it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fcis_ros.ops.layout import padded_classes
from fcis_ros.ops.reference.grid_averages import to_pixel


def class_logits(score_maps: Tensor, rois: Tensor, classes: int, bins: int, size: int, stride: int) -> Tensor:
    """Defines ``patent.class_logits``: per cell max(outside, inside), then the mean over all cells of the ROI ([0029])."""
    images, _, height, width = score_maps.shape
    # Channels last, as the network leaves them: the values that an ROI reads at a corner are then adjacent.
    sides = score_maps.permute(0, 2, 3, 1).reshape(images, height, width, bins * bins, padded_classes(classes), 2)
    outside, inside = sides[..., :classes, :].unbind(dim=5)
    return _mean(torch.where(inside > outside, inside, outside), rois, bins, stride)


def box_deltas(box_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Defines ``patent.box_deltas``: the mean of the box maps over the cells of every ROI ([0035])."""
    images, channels, height, width = box_maps.shape
    maps = box_maps.permute(0, 2, 3, 1).reshape(images, height, width, bins * bins, channels // (bins * bins))
    return _mean(maps, rois, bins, stride)


def mask_logits(score_maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Defines ``patent.mask_logits``: the pair of each ROI's class at S x S points of its box.

    A point takes the feature cell that it lies in, unchanged. So with S of at least the cells along the ROI's longer side (21
    are 336 image pixels at stride 16) every cell of the mask is kept, and nothing is interpolated.
    """
    images, channels, height, width = score_maps.shape
    classes = channels // (2 * bins * bins)
    known = _is_valid(rois, images) & (labels >= 0) & (labels < classes)
    rois = torch.where(known[:, None], rois, 0.0)
    row, i, down = _points(rois[:, 2], rois[:, 4], size, height, bins, stride)
    column, j, across = _points(rois[:, 1], rois[:, 3], size, width, bins, stride)
    maps = score_maps.reshape(images, bins, bins, classes, 2, height, width)
    image, label = rois[:, 0].long()[:, None, None], torch.where(known, labels, 0)[:, None, None]
    pairs = maps[image, i[:, :, None], j[:, None, :], label, :, row[:, :, None], column[:, None, :]].float()
    return torch.where((known & down & across)[:, None, None, None], pairs.permute(0, 3, 1, 2), 0.0)


def _mean(maps: Tensor, rois: Tensor, bins: int, stride: int) -> Tensor:
    """Computes the mean over the cells of every ROI, each read from the map of its bin: [N, h, w, k*k, G], [R, 5] -> [R, G].

    By summed-area tables in float64: 4*k*k reads per ROI and channel, whatever its size. Zeros where an ROI covers no cell.
    """
    images, height, width = maps.shape[:3]
    known = _is_valid(rois, images)
    rois = torch.where(known[:, None], rois, 0.0)
    y = bin_edges(*covered(rois[:, 2], rois[:, 4], height, stride), bins)
    x = bin_edges(*covered(rois[:, 1], rois[:, 3], width, stride), bins)
    table = F.pad(maps.double().cumsum(dim=1).cumsum(dim=2), (0, 0, 0, 0, 1, 0, 1, 0))
    image = rois[:, 0].long()[:, None, None]
    bin_index = torch.arange(bins * bins, device=rois.device).reshape(bins, bins)

    def corner(row: Tensor, column: Tensor) -> Tensor:  # [R, k], [R, k] -> [R, k, k, G]
        return table[image, row[:, :, None], column[:, None, :], bin_index]

    top, bottom, left, right = y[:, :-1], y[:, 1:], x[:, :-1], x[:, 1:]
    sums = corner(bottom, right) - corner(top, right) - corner(bottom, left) + corner(top, left)
    cells = ((y[:, -1] - y[:, 0]) * (x[:, -1] - x[:, 0]) * known)[:, None]
    return torch.where(cells > 0, sums.sum(dim=(1, 2)) / cells.clamp(min=1), 0.0).float()


def covered(low: Tensor, high: Tensor, length: int, stride: int) -> tuple[Tensor, Tensor]:
    """Computes the feature cells [begin, end) that an ROI touches along one axis.

    Args:
        low: [R] first image pixel of the ROI on this axis; rounded half away from zero, as in the released code.
        high: [R] last image pixel.
        length: feature cells on this axis.
        stride: image pixels per feature cell.

    Returns:
        Two [R] int64 tensors; equal where the ROI lies outside the map or is reversed.
    """
    first, last = to_pixel(low), to_pixel(high)
    begin = torch.floor(first / stride).clamp(0, length)
    end = torch.ceil((last + 1) / stride).clamp(0, length)
    return begin.long(), torch.where(last < first, begin, torch.maximum(begin, end)).long()


def bin_edges(begin: Tensor, end: Tensor, bins: int) -> Tensor:
    """Computes the edges of the k bins of the cells begin..end-1, [R] and [R] -> [R, k + 1].

    Cell u of n belongs to the bin that its centre lies in, (2u + 1)k // 2n: bins differ by one cell at most, and a mirrored
    ROI has mirrored bins. With fewer cells than bins, the bins without a cell's centre are empty.
    """
    count, index = (end - begin)[:, None], torch.arange(bins + 1, device=begin.device)
    return begin[:, None] + torch.div(2 * count * index + bins - 1, 2 * bins, rounding_mode="floor")


def _points(low: Tensor, high: Tensor, size: int, length: int, bins: int, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns S points along one axis of every ROI: feature cells [R, S], bins [R, S], and whether the ROI covers cells [R]."""
    begin, end = (edge[:, None] for edge in covered(low, high, length, stride))
    step = (torch.arange(size, dtype=torch.float64, device=low.device) + 0.5) / size
    position = to_pixel(low)[:, None] + step * (to_pixel(high) + 1 - to_pixel(low))[:, None]
    cell = torch.floor(position / stride).clamp(-1, length).long()
    cell = torch.maximum(torch.minimum(cell, end - 1), begin).clamp(max=length - 1)
    bin_index = torch.div((2 * (cell - begin) + 1) * bins, 2 * (end - begin).clamp(min=1), rounding_mode="floor")
    return cell, bin_index.clamp(0, bins - 1), (end > begin)[:, 0]


def _is_valid(rois: Tensor, images: int) -> Tensor:
    """Returns [R] bool: whether the ROI is finite and its image exists."""
    index = rois[:, 0]
    return torch.isfinite(rois).all(dim=1) & (index == index.floor()) & (index >= 0) & (index < images)
