"""Fused ROIs -> instances: NMS per class, then mask voting (section 3.3; [0036]; released ``tester.py`` and ``lib/mask``)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.fusion import FusedRois
from fcis_ros.structures import Instances


@dataclass(frozen=True)
class Votes:
    """The instances of one image, best first; W is always ``max_instances``.

    Attributes:
        scores: [W] float32.
        labels: [W] int32; -1 behind the last.
        boxes: [W, 4] int32 tight half-open boxes in the original image; zeros where there is no mask.
        runs: [T] int32 run lengths of all masks; T is the capacity where one was given.
        ends: [W] int32, where each instance's runs end.
        ignored: [1] int32, ROIs that were left out because their box or scores were not finite.
    """

    scores: Tensor
    labels: Tensor
    boxes: Tensor
    runs: Tensor
    ends: Tensor
    ignored: Tensor

    def cpu(self) -> "Votes":
        """The same on the host, in two copies; of the room for runs only what is filled."""
        small = {name: part for name, part in vars(self).items() if name != "runs"}
        packed = torch.cat([part.reshape(-1).view(torch.int32) for part in small.values()]).cpu()
        parts = packed.split([part.numel() for part in small.values()])
        host = {
            name: part.view(like.dtype).reshape(like.shape)
            for (name, like), part in zip(small.items(), parts, strict=True)
        }
        return Votes(runs=self.runs[: int(host["ends"][-1])].cpu(), **host)


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
    candidates, pixels, finite = ops.place_rois(fused.boxes, fused.scores, scale, config.rpn_min_size, height, width)
    floor = max(score_floor, config.score_floor)
    rois, labels = ops.class_nms(candidates, fused.scores, config.nms, floor, config.max_instances)
    voters, weights, scores = ops.elect(candidates, fused.scores, rois, labels, config.vote_iou)
    masks = fused.masks
    if config.voting == "category":
        winners, rois = torch.nonzero(voters >= 0, as_tuple=True)
        masks = masks_of_class(rois, labels[winners])
        voters[winners, rois] = torch.arange(len(masks), dtype=torch.int32, device=masks.device)
    placed = ops.vote_masks(
        pixels,
        masks,
        voters,
        weights,
        height,
        width,
        config.mask_threshold,
        config.voting == "released",
        config.grid if config.mask_output == "released" else 0,
        run_capacity,
    )
    first_round = fused.boxes[: len(fused.boxes) // config.rounds, 0]
    there = first_round == first_round  # NaN is not: no proposal
    ignored = (config.rounds * there.sum() - finite.sum()).int().reshape(1)
    return Votes(scores, labels.int(), *placed, ignored)


def to_instances(votes: Votes, height: int, width: int, class_names: tuple[str, ...]) -> Instances:
    """Leaves out what got no mask; ``votes`` on the host."""
    boxes, ends = votes.boxes.numpy(), votes.ends.numpy()
    runs = np.split(votes.runs.numpy().astype(np.uint32), ends[:-1])
    keep = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (votes.labels.numpy() > 0))
    return Instances(
        height,
        width,
        boxes[keep],
        votes.scores.numpy()[keep],
        votes.labels.numpy()[keep].astype(np.int64),
        tuple(runs[i] for i in keep),
        class_names,
    )
