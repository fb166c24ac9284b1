"""The operators in plain PyTorch and NumPy: the definition that faster kernels are compared with.

Letters in shapes: N images, R ROIs, C + 1 classes with background, k bins of the position-sensitive grid per side,
S side of the assembled map (a multiple of k), h x w the feature map.
ROIs are [R, 5]: image index, then x1, y1, x2, y2 of the first and last pixel of the input image.
"""

import cv2
import numpy as np
import torch
from torch import Tensor

CHUNK = 64  # ROIs assembled at a time by class_scores, to bound memory


def bin_edges(low: Tensor, high: Tensor, size: int, length: int, stride: int) -> tuple[Tensor, Tensor]:
    """Feature cells [start, end) that each of ``size`` bins of an ROI covers along one axis.

    Released FCIS, ``psroi_pooling.cu``: rounding half away from zero in image pixels, then scaling, all in IEEE float32;
    neighbouring bins overlap when an edge falls inside a cell.

    Args:
        low: [R] first pixel of the ROI on this axis.
        high: [R] last pixel.
        size: bins, S.
        length: feature cells on this axis.
        stride: input pixels per feature cell.

    Returns:
        Two [R, S] int64 tensors; start == end marks an empty bin.
    """

    def to_pixel(value: Tensor) -> Tensor:  # in float64, where x + 0.5 is exact
        wide = value.double()
        return (torch.sign(wide) * torch.floor(wide.abs() + 0.5)).float()

    scale = torch.tensor(1 / stride, dtype=torch.float32, device=low.device)
    start = to_pixel(low) * scale
    end = (to_pixel(high) + 1) * scale
    bin_size = ((end - start).clamp(min=0.1) / size)[:, None]
    index = torch.arange(size, dtype=torch.float32, device=low.device)
    first = torch.floor(index * bin_size + start[:, None])
    last = torch.ceil((index + 1) * bin_size + start[:, None])
    return first.clamp(0, length).long(), last.clamp(0, length).long()


def _averaging_matrix(start: Tensor, end: Tensor, length: int) -> Tensor:
    """[R, S, length]: row s averages the cells start..end-1 of its axis; empty bins give zero rows."""
    cell = torch.arange(length, device=start.device)
    inside = (cell >= start[..., None]) & (cell < end[..., None])
    return inside.float() / (end - start).clamp(min=1)[..., None]


def psroi_assemble(maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Assembles position-sensitive maps inside each ROI (section 3.2 of the paper; [0028] of the patent).

    Cell (i, j) of the k x k partition of an ROI is read from map channel group (i, j); every one of the S x S bins is the
    mean of the feature cells it touches. Differentiable with respect to ``maps``.

    Args:
        maps: [N, G*k*k, h, w], channel (g*k + i)*k + j.
        rois: [R, 5].
        bins: k.
        size: S.
        stride: input pixels per feature cell.

    Returns:
        [R, G, S, S] in float32.
    """
    images, channels, height, width = maps.shape
    groups, per_cell = channels // (bins * bins), size // bins
    maps = maps.float().reshape(images, groups, bins, bins, height, width)
    rois = rois.float()
    rows = _averaging_matrix(*bin_edges(rois[:, 2], rois[:, 4], size, height, stride), height)
    columns = _averaging_matrix(*bin_edges(rois[:, 1], rois[:, 3], size, width, stride), width)
    assembled = maps.new_zeros(len(rois), groups, bins, per_cell, bins, per_cell)
    parts, order = [], []
    for image in range(images):
        chosen = torch.nonzero(rois[:, 0] == image)[:, 0]
        if not len(chosen):
            continue
        row = rows[chosen].reshape(-1, bins, per_cell, height)
        column = columns[chosen].reshape(-1, bins, per_cell, width)
        # Rows first: per cell row i one matrix product over all ROIs, groups and cell columns at once.
        by_row = torch.einsum("ripy,gijyx->rigjpx", row, maps[image])
        parts.append(torch.einsum("rigjpx,rjqx->rgipjq", by_row, column))
        order.append(chosen)
    if parts:
        assembled = assembled.index_copy(0, torch.cat(order), torch.cat(parts))
    return assembled.reshape(len(rois), groups, size, size)


def class_scores(score_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Logits of every ROI and class: per bin max(outside, inside), then the mean over all bins (section 3.2).

    Args:
        score_maps: [N, (C+1)*2*k*k, h, w], channel ((class*2 + s)*k + i)*k + j with s = 0 outside, 1 inside.
        rois: [R, 5].
        bins: k.
        size: S.
        stride: input pixels per feature cell.

    Returns:
        [R, C+1] float32. Where outside equals inside, the gradient goes to outside.
    """
    parts = [
        _max_mean(psroi_assemble(score_maps, chunk, bins, size, stride)) for chunk in torch.split(rois, CHUNK) if len(chunk)
    ]
    if not parts:
        return score_maps.new_zeros(0, score_maps.shape[1] // (2 * bins * bins), dtype=torch.float32)
    return torch.cat(parts)


def _max_mean(assembled: Tensor) -> Tensor:
    outside, inside = assembled[:, 0::2], assembled[:, 1::2]
    return torch.where(inside > outside, inside, outside).mean(dim=(2, 3))


def class_masks(score_maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """The assembled outside/inside pair of one class per ROI.

    Args:
        score_maps: as for ``class_scores``.
        rois: [R, 5].
        labels: [R] int64, the class whose pair is wanted.
        bins: k.
        size: S.
        stride: input pixels per feature cell.

    Returns:
        [R, 2, S, S] float32, outside then inside; the mask probability is the softmax over dimension 1.
    """
    images, channels, height, width = score_maps.shape
    pair_channels = 2 * bins * bins
    classes = channels // pair_channels
    pairs = score_maps.new_zeros(len(rois), 2, size, size, dtype=torch.float32)
    # Each (image, class) that occurs is one small set of maps: regard it as an image of its own.
    unit = rois[:, 0].long() * classes + labels
    used, local = torch.unique(unit, return_inverse=True)
    if not len(used):
        return pairs
    maps = score_maps.reshape(images * classes, pair_channels, height, width)[used]
    local_rois = torch.cat([local[:, None].to(rois.dtype), rois[:, 1:]], dim=1)
    return psroi_assemble(maps, local_rois, bins, size, stride)


def box_deltas(box_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Position-sensitive average of the box maps: normalised deltas of every ROI.

    Args:
        box_maps: [N, 4*k*k, h, w], channel (d*k + i)*k + j.
        rois: [R, 5].
        bins: k.
        size: S.
        stride: input pixels per feature cell.

    Returns:
        [R, 4] float32: dx, dy, dw, dh before multiplication by the standard deviations.
    """
    return psroi_assemble(box_maps, rois, bins, size, stride).mean(dim=(2, 3))


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """Greedy non-maximum suppression; equal scores keep their input order.

    Args:
        boxes: [R, 4], first and last pixel.
        scores: [R].
        threshold: a box with IoU above this against a kept box is dropped.
        limit: stop after this many kept boxes.

    Returns:
        Indices of the kept boxes, best first.
    """
    order = np.argsort(-scores.detach().cpu().numpy(), kind="stable")
    x1, y1, x2, y2 = boxes.detach().float().cpu().numpy()[order].T.copy()
    areas = (x2 - x1 + 1) * (y2 - y1 + 1)
    alive = np.ones(len(order), dtype=bool)
    kept = []
    for i in range(len(order)):
        if not alive[i]:
            continue
        kept.append(order[i])
        if len(kept) == limit:
            break
        width = np.minimum(x2[i], x2[i + 1 :]) - np.maximum(x1[i], x1[i + 1 :]) + 1
        height = np.minimum(y2[i], y2[i + 1 :]) - np.maximum(y1[i], y1[i + 1 :]) + 1
        common = np.maximum(width, 0) * np.maximum(height, 0)
        alive[i + 1 :] &= common / (areas[i] + areas[i + 1 :] - common) <= threshold
    return torch.as_tensor(np.asarray(kept, dtype=np.int64), device=boxes.device)


def vote_masks(
    boxes: np.ndarray,
    masks: np.ndarray,
    weights: np.ndarray,
    height: int,
    width: int,
    threshold: float,
    binarise_first: bool,
) -> tuple[np.ndarray, tuple[int, int]] | None:
    """One instance's vote map: the weighted mean of its candidates' masks, each rendered over its box.

    Args:
        boxes: [M, 4] whole numbers, first and last pixel of each candidate, inside the image.
        masks: [M, S, S] float32 probabilities.
        weights: [M] summing to 1.
        height: of the image.
        width: of the image.
        threshold: from which a rendered probability counts, if ``binarise_first``.
        binarise_first: threshold every candidate before averaging (released code) or average probabilities (patent).

    Returns:
        The vote map over the union of the boxes, [h', w'] float32, and its top left corner (x, y).
    """
    x1, y1 = (int(v) for v in boxes[:, :2].min(axis=0))
    x2, y2 = (int(v) for v in boxes[:, 2:].max(axis=0))
    if x1 < 0 or y1 < 0 or x2 >= width or y2 >= height:
        raise ValueError(f"vote_masks: boxes reach to ({x1}, {y1}, {x2}, {y2}), outside an image of {width}x{height}")
    votes = np.zeros((y2 - y1 + 1, x2 - x1 + 1), dtype=np.float32)
    for (left, top, right, bottom), mask, weight in zip(boxes.astype(int), masks, weights, strict=True):
        # INTER_LINEAR is half-pixel bilinear sampling with edge clamp, without smoothing when it shrinks.
        rendered = cv2.resize(mask, (right - left + 1, bottom - top + 1), interpolation=cv2.INTER_LINEAR)
        if binarise_first:
            rendered = (rendered >= threshold).astype(np.float32)
        votes[top - y1 : bottom - y1 + 1, left - x1 : right - x1 + 1] += np.float32(weight) * rendered
    return votes, (x1, y1)
