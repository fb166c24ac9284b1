# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The five losses of a batch: one forward pass of the network, then targets and losses image by image."""

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from fcis_ros import boxes
from fcis_ros.model.backbone import STRIDE
from fcis_ros.model.fcis import FCIS, with_image_index
from fcis_ros.model.proposals import propose
from fcis_ros.model.score_maps import operators
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.losses import roi_losses, rpn_losses
from fcis_ros.training.targets import roi_targets, rpn_targets
from fcis_ros.training.train_config import TrainConfig

LOSSES = ("rpn_class", "rpn_box", "roi_class", "roi_mask", "roi_box")


def compute_losses(
    model: FCIS, items: list[TrainItem], config: TrainConfig, precision: str, seeds: Sequence[int]
) -> dict[str, Tensor]:
    """Computes the losses of a batch.

    Args:
        model: network in training mode.
        items: training items of equal size.
        config: configuration of the run, with ROI counts and weights.
        precision: precision of the convolutions, ``fp32`` or ``bf16``; targets and losses are float32.
        seeds: seed of the sampling of anchors and ROIs, one per item.

    Returns:
        {name: scalar} of ``LOSSES``, each averaged over the images.
    """
    device = next(model.parameters()).device
    items = [TrainItem(*(getattr(item, field.name).to(device) for field in fields(item))) for item in items]
    images = torch.stack([item.image for item in items]).contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        maps = model.dense(images)
    logits, deltas = maps.logits, maps.deltas
    rows, columns = logits.shape[2:]
    anchors = boxes.grid_anchors(model.rpn.anchors, rows, columns, STRIDE)
    rpn, targets = [], []
    for i, (item, seed) in enumerate(zip(items, seeds, strict=True)):
        generator = torch.Generator().manual_seed(seed)
        rpn.append(rpn_losses(logits[i], deltas[i], *rpn_targets(anchors, item, generator)))
        raw = logits[i].detach(), deltas[i].detach()
        proposals = propose(*raw, model.rpn.anchors, maps.height, maps.width, model.config).boxes
        proposals = proposals[torch.isfinite(proposals).all(dim=1)]
        targets.append(roi_targets(proposals, item, config, generator))
    # All images in one call of each operator: each makes one gradient as large as the maps.
    assembling, geometry = operators(model.config), (model.config.bins, model.config.grid, STRIDE)
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
        roi = roi_losses(*predicted, *truth, config.ohem, config.mask_weight)
        for name, value in zip(LOSSES, (*rpn[i], *roi), strict=True):
            totals[name] = totals[name] + value / len(items)
    return totals
