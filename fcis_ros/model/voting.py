"""Fused ROIs -> instances: NMS per class, then mask voting (section 3.3; [0036]; released ``tester.py`` and ``lib/mask``)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fcis_ros import boxes, ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.fusion import FusedRois
from fcis_ros.structures import Instances


@dataclass(frozen=True)
class Votes:
    """The instances of one image on the network's device, best first; W is always ``max_instances``.

    Attributes:
        scores: [W] float32.
        labels: [W] int64; -1 behind the last.
        boxes: [W, 4] int32 tight half-open boxes in the original image; zeros where there is no mask.
        runs: [T] int32 run lengths of all masks; T is the capacity where one was given.
        ends: [W] int32, where each instance's runs end.
    """

    scores: Tensor
    labels: Tensor
    boxes: Tensor
    runs: Tensor
    ends: Tensor


def vote(
    fused: FusedRois,
    masks_of_class: Callable[[Tensor, Tensor], Tensor],
    scale: float,
    height: int,
    width: int,
    config: ModelConfig,
    score_floor: float,
    run_capacity: int | None,
) -> Votes:
    """Turns the ROIs of both rounds into instances of the original image.

    At most ``max_instances`` are left, one ROI possibly in several classes. With ``voting: released`` and a ``run_capacity``
    nothing here waits for a result; ``category`` needs to know the number of votes.

    Args:
        fused: the ROIs in the resized image; rows of NaN are no ROIs.
        masks_of_class: (indices of ROIs [P], labels [P]) -> [P, S, S] mask probabilities; called for ``voting: category`` only.
        scale: resized pixels per original pixel.
        height: of the original image.
        width: of the original image.
        config: thresholds and the voting formulation.
        score_floor: instances below this score are left out before any work is spent on them.
        run_capacity: room for run lengths; None for as many as there are, which a GPU has to be waited for.
    """
    sides = fused.boxes[:, 2:] - fused.boxes[:, :2] + 1
    able = fused.finite & (sides >= config.rpn_min_size).all(dim=1)
    candidates = torch.where(able[:, None], boxes.clip(fused.boxes / scale, height, width), torch.nan)
    floor = max(score_floor, config.score_floor)
    rois, labels = ops.class_nms(candidates, fused.scores, config.nms, floor, config.max_instances)
    found, winners, classes = (rois >= 0)[:, None], rois.clamp(min=0), labels.clamp(min=0)
    voters = (boxes.iou(candidates[winners].double(), candidates.double()) >= config.vote_iou) & found
    weights = torch.where(voters, fused.scores.T[classes].double(), 0)
    weights = (weights / weights.sum(dim=1, keepdim=True)).float()
    if config.voting == "released":
        masks = fused.masks
        index = torch.where(voters, torch.arange(len(masks), device=masks.device, dtype=torch.int32), -1)
    else:
        pairs = torch.nonzero(voters)
        masks = masks_of_class(pairs[:, 1], classes[pairs[:, 0]])
        index = torch.full(voters.shape, -1, dtype=torch.int32, device=masks.device)
        index[voters] = torch.arange(len(pairs), dtype=torch.int32, device=masks.device)
    placed = ops.vote_masks(
        torch.nan_to_num(candidates).round().int(),
        masks,
        index,
        weights,
        height,
        width,
        config.mask_threshold,
        config.voting == "released",
        config.grid if config.mask_output == "released" else 0,
        run_capacity,
    )
    return Votes(fused.scores[winners, classes], labels, *placed)


def to_instances(votes: Votes, height: int, width: int, class_names: tuple[str, ...]) -> Instances:
    """Downloads the result and leaves out what got no mask."""
    found, ends = votes.boxes.cpu().numpy(), votes.ends.cpu().numpy()
    runs = np.split(votes.runs[: ends[-1]].cpu().numpy().astype(np.uint32), ends[:-1])
    keep = np.flatnonzero((found[:, 2] > found[:, 0]) & (votes.labels.cpu().numpy() > 0))
    return Instances(
        height,
        width,
        found[keep],
        votes.scores.cpu().numpy()[keep],
        votes.labels.cpu().numpy()[keep],
        tuple(runs[i] for i in keep),
        class_names,
    )
