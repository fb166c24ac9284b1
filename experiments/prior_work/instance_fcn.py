# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""InstanceFCN (Dai et al., Instance-sensitive Fully Convolutional Networks, ECCV 2016) and the recognition that follows it.

Fully convolutional maps give masks and objectness of windows of one size, so the image goes through the backbone once per level
of a pyramid. The masks are of no class: a second network, here MNC's third stage, gives each its class ([0005], [0024]).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.prior_work.mnc import WARPED, Recognition, Widths, initialise
from experiments.prior_work.network import Answers, Network, join
from experiments.prior_work.warping import sample_points, warp
from experiments.prior_work.windows import BINS, CELLS, assemble, mask_targets, tight_boxes, window_targets, windows
from fcis_ros import boxes, ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.score_maps import FusedRois
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.losses import roi_losses
from fcis_ros.training.targets import roi_targets
from fcis_ros.training.train_config import TrainConfig

CANDIDATES = 300  # windows of a level whose masks are made before NMS leaves the proposals
PAPER_LEVELS = tuple(1.5**power for power in range(-4, 2))
SMALL_LEVELS = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class WindowMaps:
    """What is computed once for a level of the pyramid.

    Attributes:
        features: [1, D, h, w], for the recognition.
        parts: [k*k, h, w] instance-sensitive logits.
        objectness: [h*w] logits of the windows.
        stride: pixels of the network's input per cell.
        height: height of the network's input.
        width: width of the network's input.
    """

    features: Tensor
    parts: Tensor
    objectness: Tensor
    stride: float
    height: int
    width: int

    def windows(self) -> Tensor:
        return windows(*self.parts.shape[1:], self.stride, self.parts.device)


class WindowHead(nn.Module):
    """Two fully convolutional branches, and the recognition of what they propose."""

    def __init__(self, inputs: int, config: ModelConfig, widths: Widths):
        super().__init__()
        self.grid, channels = config.grid, widths.channels
        self.reduce = nn.Conv2d(inputs, channels, 1)
        self.parts = nn.Conv2d(channels, BINS**2, 3, padding=1)
        self.objectness = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, 1, 1))
        initialise(self)
        self.recognition = Recognition(config, widths)

    def maps(self, c5: Tensor, stride: float, height: int, width: int) -> WindowMaps:
        """Of one image, height x width pixels, in one level of its pyramid: [1, C5, h, w]."""
        features = F.relu(self.reduce(c5), inplace=True)
        return WindowMaps(features, self.parts(features)[0], self.objectness(features).reshape(-1), stride, height, width)

    def masks(self, maps: WindowMaps, which: Tensor) -> tuple[Tensor, Tensor]:
        """Windows [W], as indices -> boxes [W, 4] around their masks, and the masks in these boxes, logits [W, 1, S, S]."""
        windows, logits = maps.windows()[which], assemble(maps.parts, which)
        tight = boxes.clip(tight_boxes(logits, windows), maps.height, maps.width)
        points = sample_points(tight - windows[:, [0, 1, 0, 1]], self.grid, maps.stride, CELLS, CELLS)
        return tight, F.grid_sample(logits[:, None], points, padding_mode="border", align_corners=False)

    def answer(self, maps: WindowMaps, tight: Tensor, inside: Tensor) -> Answers:
        """For boxes [R, 4] with masks [R, 1, S, S], logits."""
        class_logits, deltas = self.recognise(maps, tight, torch.sigmoid(inside))
        return Answers(class_logits, torch.cat([torch.zeros_like(inside), inside], dim=1), deltas)

    def recognise(self, maps: WindowMaps, tight: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes [R, 4] and probabilities [R, 1, S, S] -> class logits [R, C+1] and deltas [R, 4]."""
        return self.recognition(warp(maps.features, tight, WARPED, maps.stride), masks)

    def forward(self, maps: WindowMaps, which: Tensor) -> tuple[Tensor, Answers]:
        """All that is done per window [R]: its box [R, 4], and what is answered for it."""
        tight, inside = self.masks(maps, which)
        return tight, self.answer(maps, tight, inside)

    def per_roi_parameters(self) -> int:
        """Those whose layers run once per ROI."""
        return sum(p.numel() for p in self.recognition.parameters())


class InstanceFcn(Network):
    """Windows on every level, NMS over all of them, then class and box of those that are left."""

    def __init__(self, config: ModelConfig, head: WindowHead, levels: Sequence[float]):
        super().__init__(dataclasses.replace(config, rounds=1), head)  # its masks cannot be made again for moved boxes
        self.levels = tuple(levels)

    def level(self, images: Tensor, scale: float) -> Tensor:
        """conv5 of the images in one level of the pyramid."""
        if scale != 1:
            images = F.interpolate(images, scale_factor=scale, mode="bilinear", antialias=scale < 1)
        return self.backbone(images)[2]

    def pyramid(self, image: Tensor) -> list[WindowMaps]:
        """All that is computed once per image [1, 3, H', W']."""
        return [self.head.maps(self.level(image, scale), self.config.stride / scale, *image.shape[2:]) for scale in self.levels]

    def propose(self, level: WindowMaps) -> tuple[Tensor, Tensor, Tensor]:
        """The best windows of a level that have a mask: boxes [W, 4], objectness logits [W], mask logits [W, 1, S, S]."""
        scores, which = level.objectness.topk(min(CANDIDATES, len(level.objectness)))
        tight, masks = self.head.masks(level, which)
        finite = torch.isfinite(tight).all(dim=1)
        return tight[finite], scores[finite], masks[finite]

    def fuse(self, image: Tensor) -> FusedRois:
        levels = self.pyramid(image)
        proposed = [self.propose(level) for level in levels]
        kept = self.suppress(torch.cat([level[0] for level in proposed]), torch.cat([level[1] for level in proposed]))
        parts = []
        for level, (tight, _, masks), keep in zip(
            levels, proposed, kept.split([len(level[0]) for level in proposed]), strict=True
        ):
            parts.append(self.head.answer(level, tight[keep], masks[keep]).fused(tight[keep]))
        return join(parts)

    def suppress(self, tight: Tensor, scores: Tensor) -> Tensor:
        """[W] bool: what NMS leaves, under the limits of the RPN."""
        order = torch.argsort(scores, descending=True, stable=True)
        indices = ops.nms(tight[order].contiguous(), scores[order], self.config.rpn_nms, self.config.rpn_post_nms)
        kept = torch.zeros(len(scores), dtype=torch.bool, device=scores.device)
        kept[order[indices[indices >= 0]]] = True
        return kept

    def losses(self, images: Tensor, items: Sequence[TrainItem], config: TrainConfig, seeds: Sequence[int]) -> Tensor:
        """One level per step, drawn at random; proposals have no box loss, and the masks are learned on windows."""
        draw = torch.Generator().manual_seed(seeds[0])
        scale = self.levels[int(torch.randint(len(self.levels), (1,), generator=draw))]
        c5, total = self.level(images, scale), images.new_zeros(5)
        for i, (item, seed) in enumerate(zip(items, seeds, strict=True)):
            generator = torch.Generator().manual_seed(seed)
            maps = self.head.maps(c5[i : i + 1], self.config.stride / scale, *images.shape[2:])
            objectness, mask = window_losses(maps, item, generator)
            class_loss, box_loss = self.recognition_losses(maps, item, config, generator)
            total = total + torch.stack([objectness, torch.zeros_like(mask), class_loss, mask, box_loss])
        return total / len(items)

    def recognition_losses(
        self, maps: WindowMaps, item: TrainItem, config: TrainConfig, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Class and box loss of the level's proposals and of the objects, which come with their true masks."""
        with torch.no_grad():
            tight, scores, masks = self.propose(maps)
            kept = self.suppress(tight, scores)
            truth = roi_targets(tight[kept], item, config, generator)
            count = int(kept.sum())
            masks = torch.cat([torch.sigmoid(masks[kept]), truth.masks[count:, None].to(masks)])
        class_logits, deltas = self.head.recognise(maps, truth.rois, masks)
        no_masks = torch.zeros(len(masks), 2, *masks.shape[2:], device=masks.device)
        losses = roi_losses(class_logits, no_masks, deltas, truth.labels, truth.masks, truth.deltas, config.ohem, 0.0)
        return losses[0], losses[2]


def window_losses(maps: WindowMaps, item: TrainItem, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Logistic losses of one image: objectness over the sampled windows, masks over those that hold an object."""
    windows = maps.windows()
    labels, match = window_targets(windows, maps.stride, item, generator)
    used, positive = labels >= 0, torch.nonzero(labels == 1)[:, 0]
    objectness = F.binary_cross_entropy_with_logits(maps.objectness[used], labels[used].float())
    if not len(positive):
        return objectness, maps.parts.sum() * 0
    targets = mask_targets(windows[positive], match[positive], item)
    return objectness, F.binary_cross_entropy_with_logits(assemble(maps.parts, positive), targets)
