# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Assembly of the patent, compiled and in plain PyTorch, against loops over cells and tables worked by hand."""

import pytest
import torch
from operator_inputs import random_maps, random_rois

from fcis_ros.ops import patent as compiled
from fcis_ros.ops.reference import patent_averages as slow

BOTH = pytest.mark.parametrize("patent", [slow, compiled], ids=["reference", "compiled"])


def by_loops(maps, roi, bins, stride, group, groups):
    """The mean of one ROI and channel group, one cell at a time."""
    height, width = maps.shape[2:]
    y0, y1 = (int(v) for v in slow.covered(roi[2:3], roi[4:5], height, stride))
    x0, x1 = (int(v) for v in slow.covered(roi[1:2], roi[3:4], width, stride))
    total, count = 0.0, 0
    for y in range(y0, y1):
        for x in range(x0, x1):
            i = (2 * (y - y0) + 1) * bins // (2 * (y1 - y0))
            j = (2 * (x - x0) + 1) * bins // (2 * (x1 - x0))
            total += float(maps[int(roi[0]), (i * bins + j) * groups + group, y, x])
            count += 1
    return total / count if count else 0.0


def some_rois(count, seed):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * torch.tensor([150.0, 110.0]) - 10
    size = torch.rand(count, 2, generator=generator) ** 2 * 160
    image = torch.arange(count).remainder(2)[:, None].float()
    return torch.cat([image, corner, corner + size], dim=1)


@BOTH
@pytest.mark.parametrize("bins", [1, 3, 7])
def test_box_deltas_random_rois_equal_loops(patent, bins):
    torch.manual_seed(1)
    groups = 3
    maps, rois = torch.randn(2, bins * bins * groups, 7, 9), some_rois(25, seed=bins)
    deltas = patent.box_deltas(maps, rois, bins, 0, 16)
    expected = torch.tensor([[by_loops(maps, roi, bins, 16, g, groups) for g in range(groups)] for roi in rois])
    torch.testing.assert_close(deltas, expected, atol=1e-6, rtol=1e-6)
    assert (deltas != 0).any(dim=1).sum() > 20


@BOTH
def test_class_logits_random_rois_are_mean_of_larger_side(patent):
    torch.manual_seed(2)
    bins, classes = 3, 4
    maps, rois = torch.randn(2, bins * bins * 2 * classes, 7, 9), some_rois(20, seed=9)
    sides = maps.reshape(2, bins * bins, classes, 2, 7, 9)
    larger = sides.amax(dim=3).reshape(2, -1, 7, 9)
    expected = torch.tensor([[by_loops(larger, roi, bins, 16, label, classes) for label in range(classes)] for roi in rois])
    torch.testing.assert_close(patent.class_logits(maps, rois, classes, bins, 21, 16), expected, atol=1e-6, rtol=1e-6)


@BOTH
def test_mask_logits_point_per_cell_copy_every_cell_from_its_bin(patent):
    """Sampled at one point per cell, it is the copy that the patent describes."""
    torch.manual_seed(2)
    bins, classes, rows, columns = 3, 4, 4, 6
    maps = torch.randn(2, bins * bins * 2 * classes, 7, 9)
    roi = torch.tensor([[1.0, 16, 32, 16 + 16 * columns - 1, 32 + 16 * rows - 1]])
    pair = patent.mask_logits(maps, roi, torch.tensor([2]), bins, 12, 16)[0]  # 12 points: 3 a row, 2 a column
    for side in (0, 1):
        for y in range(rows):
            for x in range(columns):
                i, j = (2 * y + 1) * bins // (2 * rows), (2 * x + 1) * bins // (2 * columns)
                value = maps[1, ((i * bins + j) * classes + 2) * 2 + side, 2 + y, 1 + x]
                assert (pair[side, 3 * y : 3 * y + 3, 2 * x : 2 * x + 2] == value).all()


@BOTH
def test_mask_logits_rois_anywhere_hold_values_of_their_class_only(patent):
    torch.manual_seed(4)
    maps, rois, labels = torch.randn(2, 9 * 2 * 4, 7, 9), some_rois(40, seed=5), torch.arange(40) % 4
    pairs = patent.mask_logits(maps, rois, labels, 3, 21, 16)
    by_class, outside = maps.reshape(2, 9, 4, 2, 7, 9), 0
    for pair, roi, label in zip(pairs, rois, labels.tolist(), strict=True):
        if roi[3] < 0 or roi[4] < 0:
            assert (pair == 0).all()
            outside += 1
            continue
        for side in (0, 1):
            assert torch.isin(pair[side], by_class[int(roi[0]), :, label, side]).all()
    assert outside < 5


def test_best_class_masks_ties_and_nan_equal_mask_logits():
    maps, rois = random_maps("mask_logits"), random_rois(16)
    scores = torch.tensor([[0.9, 0.5, 0.5, 0.1], [0.0, torch.nan, 0.1, 0.3], [0.0, *[torch.nan] * 3]]).repeat(6, 1)
    labels = torch.tensor([1, 3, 1]).repeat(6)[:16]
    expected = torch.softmax(slow.mask_logits(maps, rois, labels, 3, 9, 16), dim=1)[:, 1]
    actual = compiled.best_class_masks(maps, rois, scores[:16], 3, 9, 16)
    torch.testing.assert_close(actual, expected, atol=2e-6, rtol=1e-5)


@BOTH
def test_assembly_invalid_rois_give_zeros(patent):
    maps = torch.ones(1, 9 * 4 * 2, 4, 4)
    nan, inf = float("nan"), float("inf")
    rois = torch.tensor([[-1.0, 0, 0, 31, 31], [0, nan, 0, 31, 31], [0, 0, 0, inf, 31], [0.5, 0, 0, 31, 31], [1, 0, 0, 31, 31],
                         [0, 40, 0, 10, 31], [0, 900, 900, 999, 999], [0, -1e9, 0, -5e8, 31]])  # fmt: skip
    assert patent.class_logits(maps, rois, 2, 3, 21, 16).abs().sum() == 0
    assert patent.mask_logits(maps, rois, torch.ones(8, dtype=torch.int64), 3, 4, 16).abs().sum() == 0
    whole = torch.tensor([[0.0, 0, 0, 31, 31]])
    assert patent.mask_logits(maps, whole, torch.tensor([4]), 3, 4, 16).abs().sum() == 0
    assert patent.mask_logits(maps, whole, torch.tensor([1]), 3, 4, 16).min() == 1


@BOTH
def test_class_logits_gradient_goes_to_larger_side_and_outside_when_equal(patent):
    maps = torch.zeros(1, 8, 1, 3, requires_grad=True)  # one bin, one class: outside, inside, padding
    values = torch.tensor([[[[1.0, 2.0, 3.0]], [[0.0, 2.0, 9.0]], *[[[torch.nan] * 3]] * 6]])
    logits = patent.class_logits(maps + values, torch.tensor([[0.0, 0, 0, 47, 15]]), 1, 1, 1, 16)
    assert logits.item() == pytest.approx((1 + 2 + 9) / 3)
    logits.backward()
    torch.testing.assert_close(maps.grad, torch.tensor([[[[1.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]], *[[[0.0] * 3]] * 6]]) / 3)


def test_class_logits_small_difference_survives_large_sums():
    """A table in float32 would know the mean of one cell behind 4000 others of 100 to 0.03 only."""
    maps = torch.full((1, 8, 64, 64), 100.0)
    maps[0, 1, 63, 63] = 100.001
    corner = torch.tensor([[0.0, 1008, 1008, 1023, 1023]])
    assert compiled.class_logits(maps, corner, 1, 1, 1, 16).item() == maps[0, 1, 63, 63].item()
