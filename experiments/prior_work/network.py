# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A network with an exchangeable head; backbone, proposals, rounds, NMS and voting are those of the package."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fcis_ros import boxes, ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.resnet import ResNet
from fcis_ros.model.fcis import FCIS, with_image_index
from fcis_ros.model.packing import PaddedInstances, pack, unpack
from fcis_ros.model.preprocess import Original
from fcis_ros.model.proposals import RPN, propose
from fcis_ros.model.score_maps import FusedRois
from fcis_ros.model.stage_clock import stage
from fcis_ros.model.voting import assign_votes, vote
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.losses import roi_losses, rpn_losses
from fcis_ros.training.targets import roi_targets, rpn_targets
from fcis_ros.training.train_config import TrainConfig


@dataclass(frozen=True)
class Answers:
    """What a head says about R ROIs.

    Attributes:
        class_logits: [R, C+1], background first.
        mask_logits: [R, 2, S, S], outside and inside.
        deltas: [R, 4], normalised.
    """

    class_logits: Tensor
    mask_logits: Tensor
    deltas: Tensor

    def fused(self, rois: Tensor) -> FusedRois:
        """As the package's voting takes them; ``rois`` [R, 4]."""
        masks = torch.sigmoid(self.mask_logits[:, 1] - self.mask_logits[:, 0])
        return FusedRois(rois, torch.softmax(self.class_logits, dim=1), masks)


def join(parts: Sequence[FusedRois]) -> FusedRois:
    """The ROIs of several rounds or levels, one behind the other."""
    return FusedRois(*(torch.cat([getattr(part, name) for part in parts]) for name in ("boxes", "scores", "masks")))


class Network(nn.Module):
    """What ``Predictor`` and the package's optimiser ask of a network; ``fuse`` and ``losses`` are those of a kind.

    Attributes:
        config: configuration, as of FCIS.
        backbone: backbone, as of FCIS.
        head: head with a ``reduce``, the 1x1 convolution on conv5 that every head begins with.
    """

    def __init__(self, config: ModelConfig, head: nn.Module):
        super().__init__()
        self.config, self.backbone, self.head = config, ResNet(config), head

    @property
    def score_maps(self) -> nn.Module:
        """The head, under the name by which the optimiser finds its ``reduce``."""
        return self.head

    def start_from(self, model: FCIS) -> None:
        """Takes the weights of a trained FCIS, but for its head."""
        self.backbone.load_state_dict(model.backbone.state_dict())

    @torch.inference_mode()
    def forward(self, images: Tensor, originals: Sequence[Original], score_floor: float = 0.0) -> list[PaddedInstances]:
        """As ``FCIS.forward``, image by image."""
        instances = []
        for image, original in zip(images, originals, strict=True):
            with stage("rois"):
                fused = self.fuse(image[None])
            with stage("voting"):
                ballots = assign_votes(fused, original, self.config, score_floor)
                instances.append(vote(ballots, fused.masks, original, self.config, None))
        return unpack(pack(instances).cpu(), instances)

    def fuse(self, image: Tensor) -> FusedRois:
        """[1, 3, H', W'] -> all ROIs of the image, with scores and masks."""
        raise NotImplementedError

    def losses(self, images: Tensor, items: Sequence[TrainItem], config: TrainConfig, seeds: Sequence[int]) -> Tensor:
        """Losses of a batch, averaged over its images.

        Args:
            images: [N, 3, h, w], those of the items.
            items: training items, on the device.
            config: configuration of the run.
            seeds: seeds of the sampling, one for each item.

        Returns:
            [5]: proposals' class and box, ROIs' class, mask and box.
        """
        raise NotImplementedError


class RoiNetwork(Network):
    """RPN and two rounds, as FCIS has them, with any head that answers for ROIs.

    The head has ``maps(c5)``, computed once per image, and is called with these maps of one image, ROIs [R, 5] and labels [R]
    whose masks are wanted (-1: any; None: the best foreground class), to give ``Answers``.
    """

    def __init__(self, config: ModelConfig, head: nn.Module):
        super().__init__(config, head)
        self.rpn = RPN(self.backbone.levels[1].channels, config)

    def start_from(self, model: FCIS) -> None:
        super().start_from(model)
        self.rpn.load_state_dict(model.rpn.state_dict())

    def fuse(self, image: Tensor) -> FusedRois:
        config, (height, width) = self.config, image.shape[2:]
        _, c4, c5 = self.backbone(image)
        logits, deltas = self.rpn(c4)
        rois = with_image_index(propose(logits[0], deltas[0], self.rpn.anchors, height, width, config).boxes)
        maps, rounds = self.head.maps(c5), []
        for _ in range(config.rounds):
            answers = self.head(maps, rois)
            rounds.append(answers.fused(rois[:, 1:]))
            rois = ops.decode_rois(rois, answers.deltas, config.box_stds, height, width)
        return join(rounds)

    def losses(self, images: Tensor, items: Sequence[TrainItem], config: TrainConfig, seeds: Sequence[int]) -> Tensor:
        _, c4, c5 = self.backbone(images)
        logits, deltas = self.rpn(c4)
        anchors = boxes.grid_anchors(self.rpn.anchors, *logits.shape[2:], self.config.stride)
        total = images.new_zeros(5)
        for i, (item, seed) in enumerate(zip(items, seeds, strict=True)):
            generator = torch.Generator().manual_seed(seed)
            rpn = rpn_losses(logits[i], deltas[i], *rpn_targets(anchors, item, generator))
            raw = logits[i].detach(), deltas[i].detach()
            proposals = propose(*raw, self.rpn.anchors, *images.shape[2:], self.config).boxes
            proposals = proposals[torch.isfinite(proposals).all(dim=1)]
            truth = roi_targets(proposals, item, config, generator)
            wanted = torch.where(truth.labels > 0, truth.labels, -1)
            outputs = self.head(self.head.maps(c5[i : i + 1]), with_image_index(truth.rois), wanted)
            answers, targets = (
                (outputs.class_logits, outputs.mask_logits, outputs.deltas),
                (truth.labels, truth.masks, truth.deltas),
            )
            total = total + torch.stack([*rpn, *roi_losses(*answers, *targets, config.ohem, config.mask_weight)])
        return total / len(items)
