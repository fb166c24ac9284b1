# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""InstanceFCN's sliding windows: where they lie, which of them hold an object, and how a window's mask is put together.

Everything is in pixels of the network's input; in a level of the image pyramid that is scaled by s, a cell of the maps is a
``stride`` of 16/s such pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from fcis_ros.training.augment import TrainItem
from fcis_ros.training.targets import CROWD_COVER, IGNORED, crowd_cover, mask_target

BINS = 5  # k: a window is divided into k x k parts, as in the paper
CELLS = 15  # m: a window is m x m cells, 240 pixels of the level; in the paper 21 cells at stride 8, 168 pixels
FITTING, NEARLY = (0.3, 0.9), (0.2, 1.2)  # longest side of an object over that of its window; levels of 1, 2, 4 leave no gap
OFFSET, NEARLY_OFFSET = 1, 2  # cells between the middles of object and window
SAMPLES = 256  # windows per image that are trained on, at most half of them with an object
FINE = 4  # points a cell at which a mask is read for its box


def windows(height: int, width: int, stride: float, device: torch.device) -> Tensor:
    """[h*w, 4] the window around every cell of h x w maps, row by row, first and last pixel; they reach beyond the image."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    first = torch.stack([x, y], dim=-1).reshape(-1, 2) - CELLS // 2
    return torch.cat([first * stride, (first + CELLS) * stride - 1], dim=1)


def assemble(parts: Tensor, which: Tensor) -> Tensor:
    """Copies the masks of windows together: every cell from the map of the part of the window that it lies in.

    Args:
        parts: [k*k, h, w], the instance-sensitive maps of one image; logits.
        which: [W] indices into ``windows``.

    Returns:
        [W, m, m]; zero outside the maps.
    """
    around = CELLS // 2
    padded = F.pad(parts, (around,) * 4)
    cells = torch.arange(CELLS, device=parts.device)
    part = cells * BINS // CELLS
    rows = torch.div(which, parts.shape[2], rounding_mode="floor")[:, None, None] + cells[:, None]
    columns = (which % parts.shape[2])[:, None, None] + cells
    return padded[part[:, None] * BINS + part, rows, columns]


def tight_boxes(logits: Tensor, window: Tensor) -> Tensor:
    """[W, 4] the boxes of what is more likely inside than not in masks [W, m, m] of windows [W, 4]; NaN around nothing."""
    size = CELLS * FINE
    inside = F.interpolate(logits[:, None], size=(size, size), mode="bilinear")[:, 0] > 0
    pixels = (window[:, 2] - window[:, 0] + 1) / size
    first, last = [], []
    for axis, low in ((1, window[:, 0]), (2, window[:, 1])):  # x: over the rows; y: over the columns
        there = inside.any(dim=axis).int()
        first.append(low + there.argmax(dim=1) * pixels)
        last.append(low + (size - there.flip(1).argmax(dim=1)) * pixels - 1)
    tight = torch.stack([*first, *last], dim=1)
    return torch.where(inside.any(dim=2).any(dim=1)[:, None], tight, torch.nan)


def window_targets(window: Tensor, stride: float, item: TrainItem, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which windows hold an object: one that fits in size and lies in the middle.

    Those that nearly do, and those on crowds, are neither examples nor counterexamples.

    Args:
        window: [n, 4].
        stride: pixels from one to the next.
        item: the training crop.
        generator: random numbers for the sampling.

    Returns:
        labels [n] int64 (1, 0 or IGNORED) and, meaningful where 1, the object [n].
    """
    labels = torch.zeros(len(window), dtype=torch.int64, device=window.device)
    match = torch.zeros_like(labels)
    if len(item.boxes):
        longest = (item.boxes[:, 2:] - item.boxes[:, :2] + 1).amax(dim=1) / (CELLS * stride)
        object_centres, window_centres = (item.boxes[:, :2] + item.boxes[:, 2:]) / 2, (window[:, :2] + window[:, 2:]) / 2
        offset = torch.cdist(window_centres, object_centres, p=torch.inf) / stride
        fits = (longest >= FITTING[0]) & (longest <= FITTING[1]) & (offset <= OFFSET)
        nearly = (longest >= NEARLY[0]) & (longest <= NEARLY[1]) & (offset <= NEARLY_OFFSET)
        match = torch.where(fits, offset, torch.inf).argmin(dim=1)
        labels[nearly.any(dim=1)] = IGNORED
        labels[fits.any(dim=1)] = 1
    labels[(labels == 0) & (crowd_cover(window, item.ignore) > CROWD_COVER)] = IGNORED
    for value, most in ((1, SAMPLES // 2), (0, SAMPLES - min(int((labels == 1).sum()), SAMPLES // 2))):
        indices = torch.nonzero(labels == value)[:, 0]
        drop = torch.randperm(len(indices), generator=generator)[most:].to(indices.device)
        labels[indices[drop]] = IGNORED
    return labels, match


def mask_targets(window: Tensor, objects: Tensor, item: TrainItem) -> Tensor:
    """[W, m, m] the masks of the objects [W] in their windows [W, 4], 0 or 1."""
    masks, tight = item.masks.cpu().numpy(), item.boxes.cpu().numpy()
    pairs = zip(objects.tolist(), window.cpu().numpy(), strict=True)
    targets = [torch.from_numpy(mask_target(masks[i], tight[i], box, CELLS)) for i, box in pairs]
    return torch.stack(targets).to(window) if targets else window.new_zeros(0, CELLS, CELLS)
