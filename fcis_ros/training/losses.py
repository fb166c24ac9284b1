# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The three losses of the ROIs, with online hard example mining (OHEM), and the two of the RPN."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fcis_ros.training.targets import RPN_SAMPLES


def smooth_l1(prediction: Tensor, target: Tensor, sigma: float) -> Tensor:
    """Computes 0.5 (sigma x)^2 below 1/sigma^2 and |x| - 0.5/sigma^2 above, elementwise."""
    return F.smooth_l1_loss(prediction, target, reduction="none", beta=1 / sigma**2)


def rpn_losses(logits: Tensor, deltas: Tensor, labels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Computes the losses of one image's anchors.

    Args:
        logits: [2A, h, w] class logits, the A backgrounds first.
        deltas: [4A, h, w] predicted box deltas.
        labels: [h*w*A] labels: 1, 0 or -1 for ignored.
        targets: [h*w*A, 4] wanted deltas, meaningful where the label is 1.

    Returns:
        Softmax cross-entropy, averaged over the sampled anchors, and smooth L1 (sigma 3), summed over positives / 256.
    """
    count = logits.shape[0] // 2
    pairs = logits.float().reshape(2, count, *logits.shape[1:]).permute(2, 3, 1, 0).reshape(-1, 2)
    moves = deltas.float().reshape(count, 4, *deltas.shape[1:]).permute(2, 3, 0, 1).reshape(-1, 4)
    used = labels >= 0
    score = F.cross_entropy(pairs[used], labels[used], reduction="sum") / max(int(used.sum()), 1)
    positive = labels == 1
    return score, smooth_l1(moves[positive], targets[positive], sigma=3).sum() / RPN_SAMPLES


def roi_losses(
    class_logits: Tensor,
    mask_logits: Tensor,
    deltas: Tensor,
    labels: Tensor,
    mask_targets: Tensor,
    delta_targets: Tensor,
    ohem: int,
    mask_weight: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Computes class, mask and box loss of one image's ROIs (section 3.2 of the paper) over the ``ohem`` hardest of them.

    Online hard example mining ranks the ROIs by the weighted sum of their losses; the others get no gradient.

    Args:
        class_logits: [R, C+1] class logits, background first.
        mask_logits: [R, 2, S, S] logits outside and inside of each ROI's labelled class (any value for background).
        deltas: [R, 4] predicted box deltas.
        labels: [R] labels: class, 0 background, -1 ignored.
        mask_targets: [R, S, S] wanted masks, 0 or 1.
        delta_targets: [R, 4] wanted deltas.
        ohem: number of ROIs that are kept.
        mask_weight: weight of the mask loss in rank and sum.

    Returns:
        Three scalars, each summed over its ROIs and divided by the number kept; the mask loss is weighted.
    """
    valid, foreground = labels >= 0, labels > 0
    by_class = F.cross_entropy(class_logits, labels.clamp(min=0), reduction="none") * valid
    by_mask = mask_weight * F.cross_entropy(mask_logits, mask_targets, reduction="none").mean(dim=(1, 2)) * foreground
    by_box = smooth_l1(deltas, delta_targets, sigma=1).sum(dim=1) * foreground
    rank = (by_class + by_mask + by_box).detach()
    rank[~valid] = -1
    hardest = torch.argsort(rank, descending=True, stable=True)[:ohem]
    hardest = hardest[valid[hardest]]
    kept = max(len(hardest), 1)
    return by_class[hardest].sum() / kept, by_mask[hardest].sum() / kept, by_box[hardest].sum() / kept
