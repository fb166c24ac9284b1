# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Arguments for the operators, odd ones among them (seeds as given)."""

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from fcis_ros.ops.layout import padded_classes

NAMES = ("class_logits", "mask_logits", "box_deltas")  # operators that assemble; those of the patent have a prefix
LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["nchw", "channels_last"])


def channels_of(name: str, classes: int, bins: int) -> int:
    return bins * bins * (4 if name.endswith("box_deltas") else 2 * padded_classes(classes))


def spoil(name: str, maps: torch.Tensor, classes: int) -> torch.Tensor:
    """The maps with NaN in all channels of the padding: its values must not matter. Changes the argument."""
    if not name.endswith("box_deltas"):
        maps.unflatten(1, (-1, padded_classes(classes), 2))[:, :, classes:] = torch.nan
    return maps


def random_maps(name: str, images=2, classes=4, bins=3, height=7, width=9, seed=0) -> torch.Tensor:
    shape = (images, channels_of(name, classes, bins), height, width)
    return spoil(name, torch.randn(shape, generator=torch.Generator().manual_seed(seed)), classes)


def stepped_maps(name: str, classes=4, bins=3, height=7, width=9, seed=0) -> torch.Tensor:
    """Maps of two images in steps of 1/8: exact in every dtype, and their sides are often equal."""
    shape = (2, channels_of(name, classes, bins), height, width)
    return spoil(name, torch.randint(-30, 31, shape, generator=torch.Generator().manual_seed(seed)) / 8, classes)


def shifted(maps: torch.Tensor) -> torch.Tensor:
    """The same maps, channels-last, one element behind an aligned address, as in a slice of a larger tensor."""
    images, channels, height, width = maps.shape
    buffer = torch.empty(maps.numel() + 1, dtype=maps.dtype, device=maps.device)
    return buffer[1:].view(images, height, width, channels).permute(0, 3, 1, 2).copy_(maps)


def assert_equal(actual, expected, rtol=0.0, atol=0.0) -> None:
    """Compares the results of an operator, on any devices: dtypes, and values to the bit unless told; NaN equals NaN."""
    for computed, wanted in zip(actual, expected, strict=True):
        torch.testing.assert_close(computed.cpu(), wanted.cpu(), rtol=rtol, atol=atol, equal_nan=True)


def arguments_of(name: str, classes: int, count: int, none=False) -> tuple:
    """The arguments of an operator between ROIs and geometry; with ``none`` some labels are of no class."""
    labels = torch.arange(count) % classes
    if none:
        labels[::5], labels[1::5] = -1, padded_classes(classes)
    return {"class_logits": (classes,), "mask_logits": (labels,), "box_deltas": ()}[name.removeprefix("patent_")]


def random_rois(count=40, images=2, seed=0, halves=False) -> torch.Tensor:
    """Inside, across and outside the border of a 112x144 image, of every size, some reversed, the first ones invalid.

    At least three are valid; of 13 and more one is the whole image, one within a feature cell, one around everything. With
    ``halves`` all coordinates are multiples of 1/2, where roundings decide; for the patent.
    """
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 260 - 60
    side = torch.rand(count, 2, generator=generator) ** 2 * 260 - 10
    image = torch.randint(0, images, (count, 1), generator=generator).float()
    rois = torch.cat([image, corner, corner + side], dim=1)
    rois = (rois * 2).round() / 2 if halves else rois
    bad = [(1, torch.nan), (4, torch.inf), (0, -1), (0, images), (2, -torch.inf), (3, 1e30), (0, 0.5)]
    bad += [(2, -3e38)] * halves  # the grid's edges are float32 and defined up to 1e30
    for row, (column, value) in enumerate(bad[: max(0, count - 3)]):
        rois[row, column] = value
    if count > 12:
        rois[8:11, 1:] = torch.tensor([[0.0, 0, 143, 111], [40, 40, 41, 41], [-500, -500, 900, 900]])
    return rois


def random_boxes(count: int, seed=0, spread=200.0) -> torch.Tensor:
    """Many overlap; of more than 20 some are equal, some reversed, some invalid."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * spread
    boxes = torch.cat([corner, corner + torch.rand(count, 2, generator=generator) * 80 - 5], dim=1)
    if count > 20:
        boxes[5] = boxes[9] = boxes[2]
        boxes[3, 1], boxes[count // 2, 3], boxes[count - 1, 0] = torch.nan, torch.inf, -torch.inf
        boxes[11:14] = boxes[11:14].round()
        boxes[17, 2:] = boxes[17, :2] - 1  # no area at all
    return boxes


def random_scores(*shape: int, seed=0) -> torch.Tensor:
    """Many ties, both zeros, negative ones, some that are not finite."""
    scores = torch.round(torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 40 - 4) / 32
    for index, value in enumerate([0.0, -0.0, torch.nan, torch.inf, -torch.inf, -0.0, 0.0, 1e-45, -1e-45]):
        scores.view(-1)[index * 3 : index * 3 + 1] = value
    return scores


def rpn_outputs(anchors=3, rows=5, columns=7, seed=0):
    """Logits, deltas and anchors, some values not finite, some candidates too small."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2 * anchors, rows, columns, generator=generator) * 4
    deltas = torch.randn(4 * anchors, rows, columns, generator=generator) * 2
    for index, value in enumerate([torch.nan, torch.inf, -torch.inf, 1e30, -1e30]):
        logits.view(-1)[index * 11 : index * 11 + 1], deltas.view(-1)[index * 17 + 3 : index * 17 + 4] = value, value
    corner = torch.rand(anchors, 2, generator=generator) * 40 - 30
    return logits, deltas, torch.cat([corner, corner + torch.rand(anchors, 2, generator=generator) * 60], dim=1)


def random_votes(seed: int, height: int, width: int, rois=6, winners=4, size=5) -> tuple:
    """Arguments of vote_masks: masks smooth or noisy, boxes of one pixel to the whole image, winners without a voter."""
    random = np.random.default_rng(seed)
    x, y = np.sort(random.integers(0, width, (2, rois)), axis=0), np.sort(random.integers(0, height, (2, rois)), axis=0)
    boxes = np.stack([x[0], y[0], x[1], y[1]], axis=1).astype(np.int32)
    if rois > 2:
        boxes[0] = [0, 0, width - 1, height - 1]
        boxes[1, 2:] = boxes[1, :2]
    masks = random.normal(0.4, 1, (rois, size, size))
    if seed % 2:
        masks = masks.cumsum(axis=1).cumsum(axis=2)
    masks = masks.clip(0, 1).astype(np.float32)
    index = np.where(random.random((winners, rois)) < 0.6, random.integers(0, rois, (winners, rois)), -1).astype(np.int32)
    weights = random.random((winners, rois)) * (index >= 0)
    weights = (weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return *map(torch.from_numpy, (boxes, masks, index, weights)), height, width


SIDE = st.integers(1, 70)
VOTES = st.builds(
    random_votes, st.integers(0, 10**6), SIDE, SIDE,
    rois=st.integers(1, 6), winners=st.integers(0, 4), size=st.sampled_from([1, 2, 5, 21]),
)  # fmt: skip
