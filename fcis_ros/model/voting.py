# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fused ROIs -> instances: NMS per class, then mask voting (section 3.3; [0036]; released ``tester.py`` and ``lib/mask``)."""

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.packing import PaddedInstances
from fcis_ros.model.preprocess import Original
from fcis_ros.model.score_maps import FusedRois, operators


@dataclass(frozen=True)
class VoteAssignment:
    """The winners of NMS in one image, best first, and the voters of each; W is always ``max_instances``.

    Attributes:
        boxes: [R, 4] int32 ROIs in the original image, first and last pixel.
        index: [W, R] int32 index of the mask that an ROI casts for a winner; -1: none.
        weights: [W, R] float32 weights, summing to 1 over the voters of a winner.
        scores: [W] float32 scores of the winners.
        labels: [W] int64 labels of the winners; -1 after the last.
        ignored: [1] int32 number of ROIs that were left out because their box or scores were not finite.
    """

    boxes: Tensor
    index: Tensor
    weights: Tensor
    scores: Tensor
    labels: Tensor
    ignored: Tensor


def assign_votes(fused: FusedRois, original: Original, config: ModelConfig, score_floor: float) -> VoteAssignment:
    """Chooses the ROIs that win and the ROIs that vote for them; each casts the mask of its best class.

    At most ``max_instances`` win, one ROI possibly in several classes.

    Args:
        fused: ROIs of both rounds in the resized image; rows of NaN are no ROIs.
        original: size and scale of the original image.
        config: thresholds.
        score_floor: minimum score of a winner, 0 to 1; ``config.score_floor`` holds as well.
    """
    candidates, pixels, finite = ops.rois_to_image(
        fused.boxes, fused.scores, original.scale, config.rpn_min_size, original.height, original.width
    )
    floor = max(score_floor, config.score_floor)
    winners, labels = ops.class_nms(candidates, fused.scores, config.nms, floor, config.max_instances)
    voters, weights, scores = ops.vote_weights(candidates, fused.scores, winners, labels, config.vote_iou)
    first_round = fused.boxes[: len(fused.boxes) // config.rounds, 0]
    is_proposal = first_round == first_round  # False for NaN
    ignored = (config.rounds * is_proposal.sum() - finite.sum()).int().reshape(1)
    return VoteAssignment(pixels, voters, weights, scores, labels, ignored)


def category_masks(
    votes: VoteAssignment, rois: Tensor, score_maps: Tensor, config: ModelConfig
) -> tuple[VoteAssignment, Tensor]:
    """Lets every ROI [R, 5] cast its mask of the winner's class, for ``voting: category`` ([0036]).

    Waits for the number of votes V.

    Returns:
        The assignment with the indices of these masks, and the masks, [V, S, S] probabilities.
    """
    winners, voters = torch.nonzero(votes.index >= 0, as_tuple=True)
    geometry = (config.bins, config.grid, config.stride)
    pairs = operators(config).mask_logits(score_maps, rois[voters], votes.labels[winners], *geometry)
    index = torch.full_like(votes.index, -1)
    index[winners, voters] = torch.arange(len(pairs), dtype=torch.int32, device=pairs.device)
    return dataclasses.replace(votes, index=index), torch.sigmoid(pairs[:, 1] - pairs[:, 0])


def vote(
    votes: VoteAssignment, masks: Tensor, original: Original, config: ModelConfig, run_capacity: int | None
) -> PaddedInstances:
    """Computes the masks of the winners from the masks of their voters.

    Args:
        votes: winners, voters and weights.
        masks: [M, S, S] float32 probabilities.
        original: size of the original image.
        config: threshold and voting formulation.
        run_capacity: number of run lengths to make room for; None for as many as there are, for which a GPU is waited for.
    """
    resampled = config.grid if config.mask_output == "released" else 0
    settings = (original.height, original.width, config.mask_threshold, config.voting == "released", resampled, run_capacity)
    boxes, runs, ends = ops.vote_masks(votes.boxes, masks, votes.index, votes.weights, *settings)
    return PaddedInstances(votes.scores, votes.labels.int(), boxes, runs, ends, votes.ignored)
