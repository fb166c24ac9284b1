# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Definition of assembly in plain PyTorch: the values read from the maps inside every ROI."""

import torch
from torch import Tensor

from fcis_ros.ops.layout import padded_classes

CHUNK = 64  # ROIs assembled at a time by class_logits, to bound memory


def to_pixel(value: Tensor) -> Tensor:
    """Rounds half away from zero, in float64, where x + 0.5 is exact."""
    wide = value.double()
    return torch.sign(wide) * torch.floor(wide.abs() + 0.5)


def span_edges(low: Tensor, high: Tensor, size: int, length: int, stride: int) -> tuple[Tensor, Tensor]:
    """Computes the feature cells [start, end) that each of the ``size`` spans of an ROI's grid covers along one axis.

    Released FCIS, ``psroi_pooling.cu``: rounding half away from zero in image pixels, then scaling, all in IEEE float32;
    neighbouring spans overlap when an edge falls inside a cell.

    Args:
        low: [R] first pixel of the ROI on this axis.
        high: [R] last pixel.
        size: S, number of spans.
        length: number of feature cells on this axis.
        stride: input pixels per feature cell.

    Returns:
        Two [R, S] int64 tensors; start == end marks an empty span.
    """
    scale = torch.tensor(1 / stride, dtype=torch.float32, device=low.device)
    start = to_pixel(low).float() * scale
    end = (to_pixel(high).float() + 1) * scale
    span = ((end - start).clamp(min=0.1) / size)[:, None]
    index = torch.arange(size, dtype=torch.float32, device=low.device)
    first = torch.floor(index * span + start[:, None])
    last = torch.ceil((index + 1) * span + start[:, None])
    return first.clamp(0, length).long(), last.clamp(0, length).long()


def _averaging_matrix(start: Tensor, end: Tensor, length: int) -> Tensor:
    """Returns [R, S, length]: row s averages the cells start..end-1 of its axis; empty spans give zero rows."""
    cell = torch.arange(length, device=start.device)
    inside = (cell >= start[..., None]) & (cell < end[..., None])
    return inside.float() / (end - start).clamp(min=1)[..., None]


def psroi_assemble(maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Assembles position-sensitive maps inside each ROI (section 3.2 of the paper; [0028] of the patent).

    Bin (i, j) of the k x k bins of an ROI is read from map channel group (i, j); every one of the S x S squares of its grid is
    the mean of the feature cells it touches. Differentiable with respect to ``maps``.

    Args:
        maps: [N, k*k*G, h, w] position-sensitive maps, channel (i*k + j)*G + g.
        rois: [R, 5] boxes, as in ``ops``.
        bins: k, bins per side.
        size: S, squares per side.
        stride: input pixels per feature cell.

    Returns:
        [R, G, S, S] float32 means.
    """
    images, channels, height, width = maps.shape
    groups, per_bin = channels // (bins * bins), size // bins
    maps = maps.float().reshape(images, bins, bins, groups, height, width)
    rois = rois.float()
    ignored = ~torch.isfinite(rois).all(dim=1)
    rois = torch.where(ignored[:, None], rois.new_tensor([-1.0, 0, 0, 0, 0]), rois)
    rows = _averaging_matrix(*span_edges(rois[:, 2], rois[:, 4], size, height, stride), height)
    columns = _averaging_matrix(*span_edges(rois[:, 1], rois[:, 3], size, width, stride), width)
    assembled = maps.new_zeros(len(rois), groups, bins, per_bin, bins, per_bin)
    parts, order = [], []
    for image in range(images):
        members = torch.nonzero(rois[:, 0] == image)[:, 0]
        if not len(members):
            continue
        row = rows[members].reshape(-1, bins, per_bin, height)
        column = columns[members].reshape(-1, bins, per_bin, width)
        # Rows first: per row i of bins one matrix product over all ROIs, groups and columns of bins at once.
        by_row = torch.einsum("ripy,ijgyx->rigjpx", row, maps[image])
        parts.append(torch.einsum("rigjpx,rjqx->rgipjq", by_row, column))
        order.append(members)
    if parts:
        assembled = assembled.index_copy(0, torch.cat(order), torch.cat(parts))
    return assembled.reshape(len(rois), groups, size, size)


def class_logits(score_maps: Tensor, rois: Tensor, classes: int, bins: int, size: int, stride: int) -> Tensor:
    """Defines ``ops.class_logits``: max(outside, inside) of every square of the assembled grid, then their mean."""
    # [N, bins, P, 2, h, w] without the padding: NaN in it would spread in a product of matrices.
    maps = score_maps.unflatten(1, (bins * bins, padded_classes(classes), 2))[:, :, :classes].flatten(1, 3)
    parts = [_max_mean(psroi_assemble(maps, chunk, bins, size, stride)) for chunk in torch.split(rois, CHUNK) if len(chunk)]
    return torch.cat(parts) if parts else score_maps.new_zeros(0, classes, dtype=torch.float32)


def _max_mean(assembled: Tensor) -> Tensor:
    outside, inside = assembled.unflatten(1, (-1, 2)).unbind(dim=2)
    return torch.where(inside > outside, inside, outside).mean(dim=(2, 3))


def mask_logits(score_maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Defines ``ops.mask_logits``: the outside/inside pair of each ROI's class on the assembled grid."""
    images, channels, height, width = score_maps.shape
    classes = channels // (2 * bins * bins)
    # Each class of each image is one small set of maps: treat it as a separate image.
    maps = score_maps.reshape(images, bins * bins, classes, 2, height, width).transpose(1, 2)
    maps = maps.reshape(images * classes, bins * bins * 2, height, width)
    whole = rois[:, 0] == rois[:, 0].floor()
    known = whole & (rois[:, 0] >= 0) & (rois[:, 0] < images) & (labels >= 0) & (labels < classes)
    set_index = torch.where(known, rois[:, 0].nan_to_num().long() * classes + labels, -1)
    used, local = torch.unique(set_index[known], return_inverse=True)
    if not len(used):
        return score_maps.new_zeros(len(rois), 2, size, size, dtype=torch.float32)
    index = torch.full_like(set_index, -1).masked_scatter(known, local)
    local_rois = torch.cat([index[:, None].to(rois.dtype), rois[:, 1:]], dim=1)
    return psroi_assemble(maps[used], local_rois, bins, size, stride)


def best_class_masks(score_maps: Tensor, rois: Tensor, scores: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Defines ``ops.best_class_masks``: the softmax of the pair of the best foreground class; no class beats NaN scores."""
    labels = torch.where(scores.isnan(), -torch.inf, scores)[:, 1:].argmax(dim=1) + 1
    pairs = mask_logits(score_maps, rois, labels, bins, size, stride)
    return torch.sigmoid(pairs[:, 1] - pairs[:, 0])


def box_deltas(box_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Defines ``ops.box_deltas``: the mean of the assembled box maps over the squares of the grid."""
    return psroi_assemble(box_maps, rois, bins, size, stride).mean(dim=(2, 3))
