# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The five losses of a batch: three of the ROIs, with online hard example mining (OHEM), and two of the RPN."""

from collections.abc import Sequence
from dataclasses import fields

import torch
import torch.nn.functional as F
from torch import Tensor

from fcis_ros import boxes
from fcis_ros.model.fcis import FCIS, with_image_index
from fcis_ros.model.proposals import propose
from fcis_ros.model.score_maps import operators
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.mixed_precision import autocasting
from fcis_ros.training.targets import RPN_SAMPLES, roi_targets, rpn_targets
from fcis_ros.training.train_config import TrainConfig

LOSSES = ("rpn_class", "rpn_box", "roi_class", "roi_mask", "roi_box")


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


def compute_losses(
    model: FCIS, items: list[TrainItem], config: TrainConfig, precision: str, seeds: Sequence[int]
) -> dict[str, Tensor]:
    """Computes the losses of a batch: one forward pass of the network, then targets and losses image by image.

    Args:
        model: network in training mode.
        items: training items of equal size.
        config: configuration of the run, with ROI counts and weights.
        precision: precision of the convolutions, ``fp32`` or ``bf16``; targets and losses are float32.
        seeds: seed of the sampling of anchors and ROIs, one per item.

    Returns:
        {name: scalar} of ``LOSSES``, each averaged over the images.

    Raises:
        InputError: ``bf16`` on a CPU, for a model that is too narrow.
    """
    device = next(model.parameters()).device
    items = [TrainItem(*(getattr(item, field.name).to(device) for field in fields(item))) for item in items]
    images = torch.stack([item.image for item in items]).contiguous(memory_format=torch.channels_last)
    with autocasting(precision, device, model.config.width):
        maps = model.dense(images)
    logits, deltas = maps.logits, maps.deltas
    anchors = boxes.grid_anchors(model.rpn.anchors, logits.shape[2], logits.shape[3], model.config.stride)
    rpn, targets = [], []
    for i, (item, seed) in enumerate(zip(items, seeds, strict=True)):
        generator = torch.Generator().manual_seed(seed)
        rpn.append(rpn_losses(logits[i], deltas[i], *rpn_targets(anchors, item, generator)))
        raw = logits[i].detach(), deltas[i].detach()
        proposals = propose(*raw, model.rpn.anchors, maps.height, maps.width, model.config).boxes
        targets.append(roi_targets(proposals[torch.isfinite(proposals).all(dim=1)], item, config, generator))
    # All images in one call of each operator: each makes one gradient as large as the maps.
    assembling, geometry = operators(model.config), (model.config.bins, model.config.grid, model.config.stride)
    rois = torch.cat([with_image_index(target.rois, i) for i, target in enumerate(targets)])
    labels = torch.cat([target.labels for target in targets])
    counts = [len(target.rois) for target in targets]
    class_logits = assembling.class_logits(maps.score_maps, rois, model.config.num_classes, *geometry).split(counts)
    wanted = torch.where(labels > 0, labels, -1)  # -1: zeros
    mask_logits = assembling.mask_logits(maps.score_maps, rois, wanted, *geometry).split(counts)
    moves = assembling.box_deltas(maps.box_maps, rois, *geometry).split(counts)
    totals = {name: images.new_zeros(()) for name in LOSSES}
    for i, target in enumerate(targets):
        predicted, truth = (class_logits[i], mask_logits[i], moves[i]), (target.labels, target.masks, target.deltas)
        of_rois = roi_losses(*predicted, *truth, config.ohem, config.mask_weight)
        for name, value in zip(LOSSES, (*rpn[i], *of_rois), strict=True):
            totals[name] = totals[name] + value / len(items)
    return totals
