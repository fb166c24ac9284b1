# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fused ROIs -> instances: NMS per class, then mask voting (section 3.3; [0036]; released ``tester.py`` and ``lib/mask``)."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.assembling import operators
from fcis_ros.model.backbone import STRIDE
from fcis_ros.model.fusion import FusedRois
from fcis_ros.model.preprocess import Original
from fcis_ros.structures import Instances


@dataclass(frozen=True)
class Ballots:
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


@dataclass(frozen=True)
class PaddedInstances:
    """The instances of one image, best first, in tensors of a size that is known before; W is always ``max_instances``.

    Attributes:
        scores: [W] float32.
        labels: [W] int32; -1 behind the last.
        boxes: [W, 4] int32 tight half-open boxes in the original image; zeros where there is no mask.
        runs: [T] int32 run lengths of all masks; T is the capacity where one was given.
        ends: [W] int32, where each instance's runs end.
        ignored: [1] int32, as in ``Ballots``.
    """

    scores: Tensor
    labels: Tensor
    boxes: Tensor
    runs: Tensor
    ends: Tensor
    ignored: Tensor

    def cpu(self) -> "PaddedInstances":
        """The same on the host, in two copies; of the room for runs only what is filled."""
        small = {name: part for name, part in vars(self).items() if name != "runs"}
        packed = torch.cat([part.reshape(-1).view(torch.int32) for part in small.values()]).cpu()
        parts = packed.split([part.numel() for part in small.values()])
        host = {
            name: part.view(like.dtype).reshape(like.shape) for (name, like), part in zip(small.items(), parts, strict=True)
        }
        return PaddedInstances(runs=self.runs[: int(host["ends"][-1])].cpu(), **host)


def elect(fused: FusedRois, original: Original, config: ModelConfig, score_floor: float) -> Ballots:
    """Finds the ROIs that win and those that vote for them; the mask that each casts is that of its own best class.

    At most ``max_instances`` win, one ROI possibly in several classes.

    Args:
        fused: the ROIs of both rounds in the resized image; rows of NaN are no ROIs.
        original: the image they are taken back to.
        config: thresholds.
        score_floor: what is below this score is left out before any work is spent on it; ``config.score_floor`` holds as well.
    """
    candidates, pixels, finite = ops.place_rois(
        fused.boxes, fused.scores, original.scale, config.rpn_min_size, original.height, original.width
    )
    floor = max(score_floor, config.score_floor)
    winners, labels = ops.class_nms(candidates, fused.scores, config.nms, floor, config.max_instances)
    voters, weights, scores = ops.elect(candidates, fused.scores, winners, labels, config.vote_iou)
    first_round = fused.boxes[: len(fused.boxes) // config.rounds, 0]
    there = first_round == first_round  # NaN is not: no proposal
    ignored = (config.rounds * there.sum() - finite.sum()).int().reshape(1)
    return Ballots(pixels, voters, weights, scores, labels, ignored)


def masks_of_categories(ballots: Ballots, rois: Tensor, score_maps: Tensor, config: ModelConfig) -> tuple[Ballots, Tensor]:
    """``voting: category``: every ROI [R, 5] casts its mask of the category that is voted on, whatever its own class ([0036]).

    Waits for the number of votes V.

    Returns:
        Ballots for these masks, and the masks, [V, S, S] probabilities.
    """
    winners, voters = torch.nonzero(ballots.index >= 0, as_tuple=True)
    geometry = (config.bins, config.grid, STRIDE)
    pairs = operators(config).mask_logits(score_maps, rois[voters], ballots.labels[winners], *geometry)
    index = torch.full_like(ballots.index, -1)
    index[winners, voters] = torch.arange(len(pairs), dtype=torch.int32, device=pairs.device)
    return dataclasses.replace(ballots, index=index), torch.sigmoid(pairs[:, 1] - pairs[:, 0])


def vote(ballots: Ballots, masks: Tensor, original: Original, config: ModelConfig, run_capacity: int | None) -> PaddedInstances:
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


def to_instances(padded: PaddedInstances, height: int, width: int, class_names: tuple[str, ...]) -> Instances:
    """Leaves out what got no mask; ``padded`` on the host."""
    boxes, ends = padded.boxes.numpy(), padded.ends.numpy()
    runs = np.split(padded.runs.numpy().astype(np.uint32), ends[:-1])
    keep = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (padded.labels.numpy() > 0))
    return Instances(
        height,
        width,
        boxes[keep],
        padded.scores.numpy()[keep],
        padded.labels.numpy()[keep].astype(np.int64),
        tuple(runs[i] for i in keep),
        class_names,
    )
