# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fused ROIs -> instances: NMS per class, then mask voting (section 3.3; [0036]; released ``tester.py`` and ``lib/mask``)."""

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.backbone import STRIDE
from fcis_ros.model.fusion import FusedRois
from fcis_ros.model.packing import PaddedInstances
from fcis_ros.model.preprocess import Original
from fcis_ros.model.roi_operators import operators


@dataclass(frozen=True)
class VoteAssignment:
    """The winners of NMS in one image, best first, and who votes for each; W is always ``max_instances``.

    Attributes:
        boxes: [R, 4] int32, the ROIs in the original image, first and last pixel.
        index: [W, R] int32, which mask an ROI casts for a winner; -1: none.
        weights: [W, R] float32, summing to 1 over the voters of a winner.
        scores: [W] float32, the winners' own.
        labels: [W] int64; -1 behind the last.
        ignored: [1] int32, ROIs that were left out because their box or scores were not finite.
    """

    boxes: Tensor
    index: Tensor
    weights: Tensor
    scores: Tensor
    labels: Tensor
    ignored: Tensor


def assign_votes(fused: FusedRois, original: Original, config: ModelConfig, score_floor: float) -> VoteAssignment:
    """Finds the ROIs that win and those that vote for them; the mask that each casts is that of its own best class.

    At most ``max_instances`` win, one ROI possibly in several classes.

    Args:
        fused: the ROIs of both rounds in the resized image; rows of NaN are no ROIs.
        original: the image they are taken back to.
        config: thresholds.
        score_floor: what is below this score is left out before any work is spent on it; ``config.score_floor`` holds as well.
    """
    candidates, pixels, finite = ops.rois_to_image(
        fused.boxes, fused.scores, original.scale, config.rpn_min_size, original.height, original.width
    )
    floor = max(score_floor, config.score_floor)
    winners, labels = ops.class_nms(candidates, fused.scores, config.nms, floor, config.max_instances)
    voters, weights, scores = ops.vote_weights(candidates, fused.scores, winners, labels, config.vote_iou)
    first_round = fused.boxes[: len(fused.boxes) // config.rounds, 0]
    there = first_round == first_round  # NaN is not: no proposal
    ignored = (config.rounds * there.sum() - finite.sum()).int().reshape(1)
    return VoteAssignment(pixels, voters, weights, scores, labels, ignored)


def category_masks(
    ballots: VoteAssignment, rois: Tensor, score_maps: Tensor, config: ModelConfig
) -> tuple[VoteAssignment, Tensor]:
    """``voting: category``: every ROI [R, 5] casts its mask of the category that is voted on, whatever its own class ([0036]).

    Waits for the number of votes V.

    Returns:
        VoteAssignment for these masks, and the masks, [V, S, S] probabilities.
    """
    winners, voters = torch.nonzero(ballots.index >= 0, as_tuple=True)
    geometry = (config.bins, config.grid, STRIDE)
    pairs = operators(config).mask_logits(score_maps, rois[voters], ballots.labels[winners], *geometry)
    index = torch.full_like(ballots.index, -1)
    index[winners, voters] = torch.arange(len(pairs), dtype=torch.int32, device=pairs.device)
    return dataclasses.replace(ballots, index=index), torch.sigmoid(pairs[:, 1] - pairs[:, 0])


def vote(
    ballots: VoteAssignment, masks: Tensor, original: Original, config: ModelConfig, run_capacity: int | None
) -> PaddedInstances:
    """Counts the votes.

    Args:
        ballots: who votes for whom, with which of the masks.
        masks: [M, S, S] float32 probabilities.
        original: the image.
        config: threshold and voting formulation.
        run_capacity: room for run lengths; None for as many as there are, which a GPU has to be waited for.
    """
    boxes, runs, ends = ops.vote_masks(
        ballots.boxes,
        masks,
        ballots.index,
        ballots.weights,
        original.height,
        original.width,
        config.mask_threshold,
        config.voting == "released",
        config.grid if config.mask_output == "released" else 0,
        run_capacity,
    )
    return PaddedInstances(ballots.scores, ballots.labels.int(), boxes, runs, ends, ballots.ignored)
