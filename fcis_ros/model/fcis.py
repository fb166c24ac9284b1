# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The path of an image through the network, as code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.backbone import STRIDE, ResNet
from fcis_ros.model.fusion import FusedRois, fuse
from fcis_ros.model.packing import PaddedInstances, pack, unpack
from fcis_ros.model.preprocess import Original
from fcis_ros.model.proposals import RPN, propose
from fcis_ros.model.roi_operators import operators
from fcis_ros.model.score_maps import ScoreMaps
from fcis_ros.model.sliding_windows import propose_windows
from fcis_ros.model.voting import assign_votes, category_masks, vote

Mark = Callable[[str], None]  # called with the name of a stage when it ends


def nobody(stage: str) -> None:
    """The ``Mark`` of those who do not measure."""


@dataclass(frozen=True)
class DenseMaps:
    """What the convolutions make of a batch of N images, everything at stride 16.

    Attributes:
        logits: [N, 2A, h, w] of the RPN, A background, then A object.
        deltas: [N, 4A, h, w] of the RPN.
        score_maps: [N, k*k*P*2, h, w], as ``ScoreMaps`` orders them.
        box_maps: [N, k*k*4, h, w], likewise.
        height: of the input images.
        width: of the input images.
    """

    logits: Tensor
    deltas: Tensor
    score_maps: Tensor
    box_maps: Tensor
    height: int
    width: int


def with_image_index(box: Tensor, index: int = 0) -> Tensor:
    """Boxes [R, 4] -> ROIs [R, 5] of one image."""
    return F.pad(box, (1, 0), value=index)


def run_capacity(device: torch.device, width: int, instances: int) -> int | None:
    """Room for the run lengths of an image: on a GPU, where counting them first would make the host wait, four times what as
    many smooth masks as wide as the image need; on the CPU as much as it takes."""
    return None if device.type == "cpu" else 8 * width * instances


class FCIS(nn.Module):
    """Fully convolutional instance-aware semantic segmentation: three convolutional parts, no parameters per ROI."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.backbone = ResNet(config)
        self.rpn = RPN(self.backbone.c4_channels, config)
        self.score_maps = ScoreMaps(self.backbone.c5_channels, config)

    @torch.inference_mode()
    def forward(
        self, images: Tensor, originals: Sequence[Original], score_floor: float = 0.0, mark: Mark = nobody
    ) -> list[PaddedInstances]:
        """Finds the instances in a batch of images.

        Args:
            images: [N, 3, H', W'], as ``preprocess`` makes them, in the dtype of the weights.
            originals: N, what each was resized from.
            score_floor: least score of an instance; ``config.score_floor`` holds as well.
            mark: called for each stage; the caller marks what it does with the result as the last.

        Returns:
            The instances of every image, on the host.
        """
        maps = self.dense(images, mark)
        found = self.find(maps, originals, score_floor, mark)
        on_host = unpack(pack(found).cpu(), found)
        for index, image in enumerate(on_host):
            if image.ends[-1] > len(found[index].runs):
                again = [self.detect(maps, index, originals[index], score_floor, None, mark)]
                on_host[index] = unpack(pack(again).cpu(), again)[0]
        return on_host

    def find(
        self, maps: DenseMaps, originals: Sequence[Original], score_floor: float = 0.0, mark: Mark = nobody
    ) -> list[PaddedInstances]:
        """The instances of every image, on the device, for which nothing waits on a GPU; run lengths may exceed their room."""
        found = []
        for index, original in enumerate(originals):
            room = run_capacity(maps.logits.device, original.width, self.config.max_instances)
            found.append(self.detect(maps, index, original, score_floor, room, mark))
        return found

    def dense(self, images: Tensor, mark: Mark = nobody) -> DenseMaps:
        """All convolutions: [N, 3, H', W'] -> maps; differentiable, the same for inference and training."""
        c4, c5 = self.backbone(images)
        mark("backbone")
        logits, deltas = self.rpn(c4)
        mark("rpn")
        score_maps, box_maps = self.score_maps(c5)
        mark("score_maps")
        return DenseMaps(logits, deltas, score_maps, box_maps, *images.shape[2:])

    def detect(
        self,
        maps: DenseMaps,
        index: int,
        original: Original,
        score_floor: float,
        run_capacity: int | None,
        mark: Mark = nobody,
    ) -> PaddedInstances:
        """From the maps to the instances of image ``index``, all on the device.

        With ``voting: released`` and a ``run_capacity``, room for run lengths, no shape depends on a value and nothing waits
        for the device.
        """
        config = self.config
        score_maps, box_maps = maps.score_maps[index : index + 1], maps.box_maps[index : index + 1]
        if config.proposals == "windows":
            proposals = propose_windows(score_maps, maps.height, maps.width, config)
        else:
            proposals = propose(maps.logits[index], maps.deltas[index], self.rpn.anchors, maps.height, maps.width, config)
        mark("proposals")
        fused = self.fuse_rounds(proposals.boxes, score_maps, box_maps, maps.height, maps.width)
        mark("rois")
        ballots, masks = assign_votes(fused, original, config, score_floor), fused.masks
        mark("nms")
        if config.voting == "category":
            ballots, masks = category_masks(ballots, with_image_index(fused.boxes), score_maps, config)
        instances = vote(ballots, masks, original, config, run_capacity)
        mark("voting")
        return instances

    def fuse_rounds(self, proposals: Tensor, score_maps: Tensor, box_maps: Tensor, height: int, width: int) -> FusedRois:
        """Scores and masks of the proposals [R, 4] and, in a second round, of the same boxes after regression (section 3.3).

        Both rounds read the same maps in one call; the box reported for an ROI is the ROI itself.
        """
        config = self.config
        rois = with_image_index(proposals)
        if config.rounds == 2:
            deltas = operators(config).box_deltas(box_maps, rois, config.bins, config.grid, STRIDE)
            rois = torch.cat([rois, ops.decode_rois(rois, deltas, config.box_stds, height, width)])
        return fuse(score_maps, rois, config)
