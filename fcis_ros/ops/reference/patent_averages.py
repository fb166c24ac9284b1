# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``assemble: native`` in plain PyTorch: the maps inside every ROI are read as they are, as the patent words it.

[0028]-[0030]. No grid: an ROI covers whole feature cells, these are divided evenly into k x k bins, and each cell is read from
the map of its bin. The functions take what their namesakes in ``reference`` take and give tensors of the same shapes; autograd
differentiates them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from fcis_ros.ops.layout import padded_classes


def class_logits(score_maps: Tensor, rois: Tensor, classes: int, bins: int, size: int, stride: int) -> Tensor:
    """Per cell max(outside, inside), then the mean over all cells of the ROI ([0029]).

    Args:
        score_maps: [N, k*k*P*2, h, w], channel ((i*k + j)*P + class)*2 + s with s = 0 outside, 1 inside; see ``ops.layout``.
        rois: [R, 5].
        classes: C + 1.
        bins: k.
        size: of no meaning here.
        stride: image pixels per feature cell.

    Returns:
        [R, C+1] float32. Where outside equals inside, the gradient goes to outside.
    """
    images, _, height, width = score_maps.shape
    # Channels last, as the network leaves them: what an ROI reads at a corner then lies together.
    sides = score_maps.permute(0, 2, 3, 1).reshape(images, height, width, bins * bins, padded_classes(classes), 2)
    outside, inside = sides[..., :classes, :].unbind(dim=5)
    return _mean(torch.where(inside > outside, inside, outside), rois, bins, stride)


def box_deltas(box_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Mean of the box maps over the cells of every ROI ([0035]): [N, k*k*4, h, w], [R, 5] -> [R, 4] normalised deltas."""
    images, channels, height, width = box_maps.shape
    maps = box_maps.permute(0, 2, 3, 1).reshape(images, height, width, bins * bins, channels // (bins * bins))
    return _mean(maps, rois, bins, stride)


def mask_logits(score_maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """The outside/inside pair of one class per ROI, read at S x S points of its box.

    Voting takes masks of one size. A point takes the feature cell that it lies in, unchanged, so with S of at least the cells
    along the ROI's longer side (21 are 336 image pixels at stride 16) nothing of the mask is lost, and nothing is interpolated.

    Args:
        score_maps: as for ``class_logits``.
        rois: [R, 5].
        labels: [R] int64, the class whose pair is wanted; one that does not exist gives zeros.
        bins: k.
        size: S.
        stride: image pixels per feature cell.

    Returns:
        [R, 2, S, S] float32, outside then inside; the mask probability is the softmax over dimension 1.
    """
    images, channels, height, width = score_maps.shape
    classes = channels // (2 * bins * bins)
    known = _of_an_image(rois, images) & (labels >= 0) & (labels < classes)
    rois = torch.where(known[:, None], rois, 0.0)
    row, i, down = _points(rois[:, 2], rois[:, 4], size, height, bins, stride)
    column, j, across = _points(rois[:, 1], rois[:, 3], size, width, bins, stride)
    maps = score_maps.reshape(images, bins, bins, classes, 2, height, width)
    image, label = rois[:, 0].long()[:, None, None], torch.where(known, labels, 0)[:, None, None]
    pairs = maps[image, i[:, :, None], j[:, None, :], label, :, row[:, :, None], column[:, None, :]].float()
    return torch.where((known & down & across)[:, None, None, None], pairs.permute(0, 3, 1, 2), 0.0)


def _mean(maps: Tensor, rois: Tensor, bins: int, stride: int) -> Tensor:
    """Mean over the cells of every ROI, each read from the map of its bin: [N, h, w, k*k, G], [R, 5] -> [R, G] float32.

    By summed-area tables, in float64: 4*k*k reads per ROI and channel, however large it is. Zeros where an ROI covers no cell.
    """
    images, height, width = maps.shape[:3]
    known = _of_an_image(rois, images)
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
    """Feature cells [begin, end) that an ROI touches along one axis.

    Args:
        low: [R] first image pixel of the ROI on this axis; rounded half away from zero, as in the released code.
        high: [R] last image pixel.
        length: feature cells on this axis.
        stride: image pixels per feature cell.

    Returns:
        Two [R] int64 tensors; equal where the ROI lies outside the map or is reversed.
    """
    first, last = _whole(low), _whole(high)
    begin = torch.floor(first / stride).clamp(0, length)
    end = torch.ceil((last + 1) / stride).clamp(0, length)
    return begin.long(), torch.where(last < first, begin, torch.maximum(begin, end)).long()


def bin_edges(begin: Tensor, end: Tensor, bins: int) -> Tensor:
    """Where each of the k bins of begin..end-1 begins, and the last one ends: [R] and [R] -> [R, k + 1].

    Cell u of n belongs to the bin that its centre lies in, (2u + 1)k // 2n: bins differ by one cell at most, and a mirrored
    ROI has mirrored bins. With fewer cells than bins, the bins without a cell's centre are empty.
    """
    count, index = (end - begin)[:, None], torch.arange(bins + 1, device=begin.device)
    return begin[:, None] + torch.div(2 * count * index + bins - 1, 2 * bins, rounding_mode="floor")


def _points(low: Tensor, high: Tensor, size: int, length: int, bins: int, stride: int) -> tuple[Tensor, Tensor, Tensor]:
    """S points along one axis of every ROI: the feature cell of each [R, S], its bin [R, S], whether there are any [R]."""
    begin, end = (edge[:, None] for edge in covered(low, high, length, stride))
    step = (torch.arange(size, dtype=torch.float64, device=low.device) + 0.5) / size
    at = _whole(low)[:, None] + step * (_whole(high) + 1 - _whole(low))[:, None]
    cell = torch.floor(at / stride).clamp(-1, length).long()
    cell = torch.maximum(torch.minimum(cell, end - 1), begin).clamp(max=length - 1)
    own = torch.div((2 * (cell - begin) + 1) * bins, 2 * (end - begin).clamp(min=1), rounding_mode="floor")
    return cell, own.clamp(0, bins - 1), (end > begin)[:, 0]


def _whole(value: Tensor) -> Tensor:
    """Rounded half away from zero; float64, where x + 0.5 is exact."""
    wide = value.double()
    return torch.sign(wide) * torch.floor(wide.abs() + 0.5)


def _of_an_image(rois: Tensor, images: int) -> Tensor:
    """[R]: finite, and of an image that there is."""
    index = rois[:, 0]
    return torch.isfinite(rois).all(dim=1) & (index == index.floor()) & (index >= 0) & (index < images)
