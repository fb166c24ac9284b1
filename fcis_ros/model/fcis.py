# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The path of an image through the network: backbone, RPN, score maps, proposals, ROIs, NMS, mask voting."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.choice import make_backbone
from fcis_ros.model.packing import PaddedInstances, to_host
from fcis_ros.model.preprocess import Original
from fcis_ros.model.proposals import RPN, propose
from fcis_ros.model.pyramid import Pyramid
from fcis_ros.model.score_maps import FusedRois, ScoreMaps, fuse, operators
from fcis_ros.model.sliding_windows import propose_windows
from fcis_ros.model.stage_clock import stage
from fcis_ros.model.voting import assign_votes, category_masks, vote

RUNS_PER_COLUMN = 8  # room for run lengths, per column of the image and instance: four times what smooth masks need


@dataclass(frozen=True)
class DenseMaps:
    """Outputs of the convolutions for a batch of N images, everything at the stride of the configuration.

    Attributes:
        logits: [N, 2A, h, w] of the RPN, A background, then A object.
        deltas: [N, 4A, h, w] of the RPN.
        score_maps: [N, k*k*P*2, h, w], in the order of ``ScoreMaps``.
        box_maps: [N, k*k*4, h, w], in the order of ``ScoreMaps``.
        height: height of the input images in pixels.
        width: width of the input images in pixels.
    """

    logits: Tensor
    deltas: Tensor
    score_maps: Tensor
    box_maps: Tensor
    height: int
    width: int


def with_image_index(box: Tensor, index: int = 0) -> Tensor:
    """Returns boxes [R, 4] as ROIs [R, 5] of one image."""
    return F.pad(box, (1, 0), value=index)


def run_capacity(device: torch.device, width: int, instances: int) -> int | None:
    """Returns the room for an image's run lengths; None on the CPU, where there are as many as the masks need.

    On a GPU counting them first would make the host wait.
    """
    return None if device.type == "cpu" else RUNS_PER_COLUMN * width * instances


class FCIS(nn.Module):
    """Fully convolutional instance-aware semantic segmentation: three convolutional parts, no parameters per ROI."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.backbone = make_backbone(config)
        self.pyramid = Pyramid(self.backbone.levels, config) if config.features == "pyramid" else None
        _, c4, c5 = (level.channels for level in self.backbone.levels)
        self.rpn = RPN(config.pyramid_channels if self.pyramid else c4, config)
        self.score_maps = ScoreMaps(config.pyramid_channels if self.pyramid else c5, config)

    @torch.inference_mode()
    def forward(self, images: Tensor, originals: Sequence[Original], score_floor: float = 0.0) -> list[PaddedInstances]:
        """Finds the instances in a batch of images; the stages are those of ``dense``, then those of ``detect`` per image.

        Args:
            images: [N, 3, H', W'], as ``preprocess`` makes them, in the dtype of the weights.
            originals: N sizes, what each image was resized from.
            score_floor: minimum score of an instance, 0 to 1; ``config.score_floor`` holds as well.

        Returns:
            The instances of the N images, on the host.
        """
        maps = self.dense(images)  # 4 maps [N, channels, h, w], h = H'/stride
        instances = to_host(self.detect_all(maps, originals, score_floor))  # N x W instances, padded
        for index, image in enumerate(instances):
            if image.truncated:
                (instances[index],) = to_host([self.detect(maps, index, originals[index], score_floor, None)])
        return instances

    def dense(self, images: Tensor) -> DenseMaps:
        """Computes all convolutions of images [N, 3, H', W']; differentiable, the same for inference and training."""
        with stage("backbone"):
            levels = self.backbone(images)  # 3 maps, conv3 to conv5
            _, c4, c5 = levels  # [N, C4, h, w] and [N, C5, h, w]
            if self.pyramid is not None:
                c4 = c5 = self.pyramid(levels)  # [N, pyramid_channels, h, w]
        with stage("rpn"):
            logits, deltas = self.rpn(c4)  # [N, 2A, h, w] and [N, 4A, h, w]
        with stage("score_maps"):
            score_maps, box_maps = self.score_maps(c5)  # [N, k*k*P*2, h, w] and [N, k*k*4, h, w]
        return DenseMaps(logits, deltas, score_maps, box_maps, *images.shape[2:])

    def detect_all(self, maps: DenseMaps, originals: Sequence[Original], score_floor: float) -> list[PaddedInstances]:
        """Returns the instances of every image, on the device and without waiting for it; runs may exceed their capacity."""
        device, most = maps.logits.device, self.config.max_instances
        capacities = [run_capacity(device, original.width, most) for original in originals]
        return [self.detect(maps, index, originals[index], score_floor, room) for index, room in enumerate(capacities)]

    def detect(
        self, maps: DenseMaps, index: int, original: Original, score_floor: float, run_capacity: int | None
    ) -> PaddedInstances:
        """Computes the instances of one image from the maps, all on the device.

        With ``voting: released`` and a ``run_capacity`` no shape depends on a value and nothing waits for the device.

        Args:
            maps: the maps of N images.
            index: index of the image, 0..N-1.
            original: size of the image.
            score_floor: minimum score of an instance, 0 to 1.
            run_capacity: number of run lengths to make room for; None for as many as there are.
        """
        config, height, width = self.config, maps.height, maps.width
        score_maps, box_maps = maps.score_maps[index : index + 1], maps.box_maps[index : index + 1]
        with stage("proposals"):
            if config.proposals == "windows":
                proposals = propose_windows(score_maps, height, width, config)  # boxes [R, 4]
            else:
                proposals = propose(maps.logits[index], maps.deltas[index], self.rpn.anchors, height, width, config)
        with stage("rois"):
            fused = self.fuse_rounds(proposals.boxes, score_maps, box_maps, height, width)  # masks [2R, S, S]
        with stage("nms"):
            votes, masks = assign_votes(fused, original, config, score_floor), fused.masks  # weights [W, 2R]
        with stage("voting"):
            if config.voting == "category":
                votes, masks = category_masks(votes, with_image_index(fused.boxes), score_maps, config)  # [V, S, S]
            return vote(votes, masks, original, config, run_capacity)  # W instances, run lengths [T]

    def fuse_rounds(self, proposals: Tensor, score_maps: Tensor, box_maps: Tensor, height: int, width: int) -> FusedRois:
        """Computes scores and masks of proposals [R, 4] and, in a second round, of their regressed boxes (section 3.3).

        Both rounds read the same maps in one call; the box reported for an ROI is the ROI itself.
        """
        config = self.config
        rois = with_image_index(proposals)  # [R, 5]
        if config.rounds == 2:
            deltas = operators(config).box_deltas(box_maps, rois, config.bins, config.grid, config.stride)  # [R, 4]
            rois = torch.cat([rois, ops.decode_rois(rois, deltas, config.box_stds, height, width)])  # [2R, 5]
        return fuse(score_maps, rois, config)
