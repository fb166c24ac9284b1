# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``assemble: native``: the operators that read the maps inside every ROI as they are, as the patent words it ([0028]-[0030]).

No grid and no interpolation: an ROI covers whole feature cells, these are divided evenly into k x k bins, and each cell is read
from the maps of its bin. The functions take what their namesakes in ``fcis_ros.ops`` take and return tensors of the same
shapes; ``reference.patent_averages`` defines what each computes. Class logits and box deltas come from summed-area tables: four
reads per ROI, bin and channel, whatever the size of the ROI. Maps must be finite: any other value would spread through the
tables to other ROIs.
"""

import torch
from torch import Tensor


def class_logits(score_maps: Tensor, rois: Tensor, classes: int, bins: int, size: int, stride: int) -> Tensor:
    """Computes the logit of every ROI and class: the mean over the covered cells of max(outside, inside) ([0029]).

    Definition: ``reference.patent_averages.class_logits``. Differentiable in ``score_maps``; where outside equals inside, the
    gradient goes to outside.

    Args:
        score_maps: [N, k*k*P*2, h, w] float32, float16 or bfloat16, contiguous or channels-last (faster); channel
            ((i*k + j)*P + class)*2 + side, side 0 outside, 1 inside (``ops.layout``).
        rois: [R, 5] float32 boxes, contiguous: image index, first and last pixel of the network's input.
        classes: C + 1, number of classes with the background.
        bins: k, bins per side of an ROI, 1 to 64.
        size: number without effect here, taken for the sake of equal signatures.
        stride: input pixels per feature cell, 1 to 4096.

    Returns:
        [R, C+1] float32 logits; zeros for an ROI that covers no cell.

    Raises:
        ValueError: an argument's dtype, rank, size, device, memory format or channel count does not fit; the message names it.
    """
    return torch.ops.fcis_ros.patent_class_logits(score_maps, rois, classes, bins, stride)


def mask_logits(score_maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Reads the outside/inside pair of one class per ROI at S x S points of its box, each the value of its cell.

    Source: [0028]-[0030] of the patent; points instead of cells because voting takes masks of one size. Definition:
    ``reference.patent_averages.mask_logits``. Differentiable in ``score_maps``.

    Args:
        score_maps: [N, k*k*P*2, h, w] float32, float16 or bfloat16, contiguous or channels-last (faster); channel
            ((i*k + j)*P + class)*2 + side, side 0 outside, 1 inside (``ops.layout``).
        rois: [R, 5] float32 boxes, contiguous: image index, first and last pixel of the network's input.
        labels: [R] int64 class of each ROI's pair; one outside 0..P-1 gives zeros.
        bins: k, bins per side of an ROI, 1 to 64.
        size: S, points per side, 1 to 512.
        stride: input pixels per feature cell, 1 to 4096.

    Returns:
        [R, 2, S, S] float32 logits, outside then inside; the mask probability is the softmax over dimension 1.

    Raises:
        ValueError: an argument's dtype, rank, size, device, memory format or channel count does not fit; the message names it.
    """
    return torch.ops.fcis_ros.patent_mask_logits(score_maps, rois, labels, bins, size, stride)


def best_class_masks(score_maps: Tensor, rois: Tensor, scores: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Computes the mask probabilities of every ROI for its foreground class with the highest score (``best_labels``).

    Args:
        score_maps: [N, k*k*P*2, h, w] float32, float16 or bfloat16, contiguous or channels-last (faster); channel
            ((i*k + j)*P + class)*2 + side, side 0 outside, 1 inside (``ops.layout``).
        rois: [R, 5] float32 boxes, contiguous: image index, first and last pixel of the network's input.
        scores: [R, C+1] float32 class scores, background first.
        bins: k, bins per side of an ROI, 1 to 64.
        size: S, points per side, 1 to 512.
        stride: input pixels per feature cell, 1 to 4096.

    Returns:
        [R, S, S] float32 probabilities, the softmax of the pair of ``mask_logits``.

    Raises:
        ValueError: an argument's dtype, rank, size, device, memory format or channel count does not fit; the message names it.
    """
    pairs = mask_logits(score_maps, rois, best_labels(scores), bins, size, stride)
    return torch.sigmoid(pairs[:, 1] - pairs[:, 0])


def best_labels(scores: Tensor) -> Tensor:
    """Finds the foreground class with the highest score of every ROI; NaN is lower than any score, the lower label wins ties.

    Args:
        scores: [R, C+1] class scores, background first.

    Returns:
        [R] int64 labels, 1 to C.
    """
    return torch.where(scores.isnan(), -torch.inf, scores)[:, 1:].argmax(dim=1) + 1


def box_deltas(box_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Computes the box regression of every ROI: the mean of the box maps over the covered cells ([0035]).

    Definition: ``reference.patent_averages.box_deltas``. Differentiable in ``box_maps``.

    Args:
        box_maps: [N, k*k*4, h, w] float32, float16 or bfloat16, contiguous or channels-last; channel (i*k + j)*4 + d.
        rois: [R, 5] float32 boxes, contiguous: image index, first and last pixel of the network's input.
        bins: k, bins per side of an ROI, 1 to 64.
        size: number without effect here, taken for the sake of equal signatures.
        stride: input pixels per feature cell, 1 to 4096.

    Returns:
        [R, 4] float32 normalised deltas dx, dy, dw, dh; zeros for an ROI that covers no cell.

    Raises:
        ValueError: an argument's dtype, rank, size, device, memory format or channel count does not fit; the message names it.
    """
    return torch.ops.fcis_ros.patent_box_deltas(box_maps, rois, bins, stride)
