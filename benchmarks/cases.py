# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The inputs that benchmarks share: maps, ROIs of the sizes that detectors propose, and instances to vote for."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fcis_ros.ops.layout import padded_classes

BINS, GRID, STRIDE = 7, 21, 16
SIDES = [(32, 0.15), (64, 0.20), (128, 0.25), (256, 0.20), (384, 0.10), (512, 0.05), (4096, 0.05)]  # pixels, share of the ROIs


@dataclass(frozen=True)
class Case:
    """Inputs of the per-ROI stage, for one image; the first half of the ROIs is round one.

    Attributes:
        name: name in the rows.
        classes: C + 1, number of classes with the background.
        score_maps: [1, k*k*P*2, h, w] maps, channels-last; see ``fcis_ros.ops.layout``.
        box_maps: [1, k*k*4, h, w] maps, channels-last.
        rois: [R, 5] boxes.
        labels: [R] classes, 1 to C.
        height: height of the resized image, pixels.
        width: width of the resized image, pixels.
    """

    name: str
    classes: int
    score_maps: Tensor
    box_maps: Tensor
    rois: Tensor
    labels: Tensor
    height: int
    width: int


def random_rois(count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """[count, 5]: centres anywhere, sides of ``SIDES`` jittered and clipped, as section 4.2 of the cost model assumes."""
    sides, shares = torch.tensor(SIDES, dtype=torch.float64).T
    side = sides[torch.multinomial(shares, count, replacement=True, generator=generator)].float()
    size = side[:, None] * (0.7 + 0.6 * torch.rand(count, 2, generator=generator))
    centre = torch.rand(count, 2, generator=generator) * torch.tensor([width, height])
    limit = torch.tensor([width - 1.0, height - 1.0])
    low, high = (centre - size / 2).clamp(min=0), torch.minimum(centre + size / 2, limit)
    return torch.cat([torch.zeros(count, 1), low, high], dim=1)


def make(name: str, classes: int, rois: int, height: int, width: int, dtype=torch.float32, device="cpu") -> Case:
    """A case with C = ``classes`` foreground classes and random maps for a resized image of this size."""
    generator = torch.Generator().manual_seed(0)
    h, w = -(-height // STRIDE), -(-width // STRIDE)

    def maps(channels: int) -> Tensor:
        return torch.randn(1, channels, h, w, generator=generator).to(device, dtype).to(memory_format=torch.channels_last)

    return Case(
        name,
        classes + 1,
        maps(BINS * BINS * padded_classes(classes + 1) * 2),
        maps(BINS * BINS * 4),
        random_rois(rois, height, width, generator).to(device),
        torch.randint(1, classes + 1, (rois,), generator=generator).to(device),
        height,
        width,
    )


def r101_coco(dtype=torch.float32, device="cpu") -> Case:
    """The released COCO model: maps 8232x38x63 with padding, 300 + 300 ROIs."""
    return make("r101_coco", 80, 600, 600, 1000, dtype, device)


def road(dtype=torch.float32, device="cpu") -> Case:
    """The default model at 480x360: 100 + 100 ROIs."""
    return make("road", 3, 200, 640, 853, dtype, device)


@dataclass(frozen=True)
class VotingCase:
    """Inputs of NMS and voting in a 1920x1080 image: 100 objects of 60 to 460 pixels, six overlapping ROIs each.

    Attributes:
        boxes: [600, 4] boxes, first and last pixel.
        scores: [600, 81] probabilities.
        masks: [600, 21, 21] probabilities.
        height: height of the image, pixels.
        width: width of the image, pixels.
    """

    boxes: Tensor
    scores: Tensor
    masks: Tensor
    height: int = 1080
    width: int = 1920


def full_hd(device="cpu") -> VotingCase:
    generator = torch.Generator().manual_seed(0)
    size = 60 + 400 * torch.rand(100, 1, 1, generator=generator) ** 2
    centre = torch.rand(100, 1, 2, generator=generator) * torch.tensor([1920.0, 1080.0])
    box = torch.cat([centre - size / 2, centre + size / 2], dim=2)
    box = (box + 0.05 * size * torch.randn(100, 6, 4, generator=generator)).reshape(600, 4).clamp(min=0)
    box = torch.minimum(box, torch.tensor([1919.0, 1079.0, 1919.0, 1079.0]))
    label = torch.randint(1, 81, (100,), generator=generator).repeat_interleave(6)
    logits = torch.randn(600, 81, generator=generator) + 6 * torch.nn.functional.one_hot(label, 81)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 21), torch.linspace(-1, 1, 21), indexing="ij")
    masks = torch.sigmoid(8 * (0.8 - x**2 - y**2) + torch.randn(600, 21, 21, generator=generator))
    return VotingCase(box.to(device), torch.softmax(logits, dim=1).to(device), masks.to(device))
