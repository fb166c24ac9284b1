# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The patent's assembling, against loops over pixels and a table one can check with a pencil."""

import pytest
import torch

from fcis_ros.ops import native


@pytest.mark.parametrize(
    ("pixels", "bins", "edges"),
    [
        (7, 7, [0, 1, 2, 3, 4, 5, 6, 7]),
        (14, 7, [0, 2, 4, 6, 8, 10, 12, 14]),
        (3, 7, [0, 0, 1, 1, 2, 2, 3, 3]),  # pixels 0, 1, 2 belong to parts 1, 3 and 5
        (1, 3, [0, 0, 1, 1]),  # the only pixel belongs to the part in the middle
        (5, 2, [0, 2, 5]),
        (4, 3, [0, 1, 3, 4]),
    ],
)
def test_parts_are_even(pixels, bins, edges):
    found = native.part_edges(torch.tensor([10]), torch.tensor([10 + pixels]), bins)
    assert (found - 10).tolist() == [edges]


def test_parts_of_any_size_are_even_and_mirror():
    mirrored = 0
    for bins in (1, 2, 3, 5, 7):
        for pixels in range(1, 70):
            edges = native.part_edges(torch.tensor([0]), torch.tensor([pixels]), bins)[0]
            counts = edges.diff()
            assert edges[0] == 0 and edges[-1] == pixels and counts.max() - counts.min() <= 1
            parts = [(2 * u + 1) * bins // (2 * pixels) for u in range(pixels)]
            assert counts.tolist() == [parts.count(part) for part in range(bins)]
            if all((2 * u + 1) * bins % (2 * pixels) for u in range(pixels)):  # else a centre lies on an edge between parts
                assert counts.tolist() == counts.flip(0).tolist()
                mirrored += 1
    assert mirrored > 200


@pytest.mark.parametrize(
    ("low", "high", "begin", "end"),
    [(0, 15, 0, 1), (0, 16, 0, 2), (15.4, 15.4, 0, 1), (15.5, 15.5, 1, 2), (-40, 40, 0, 3), (500, 600, 10, 10), (20, 10, 1, 1)],
)
def test_an_roi_covers_every_pixel_that_it_touches(low, high, begin, end):
    found = native.covered(torch.tensor([float(low)]), torch.tensor([float(high)]), 10, 16)
    assert [int(edge) for edge in found] == [begin, end]


def by_loops(maps, roi, bins, stride, group, groups):
    """The mean of one ROI and channel group, one pixel at a time."""
    height, width = maps.shape[2:]
    y0, y1 = (int(v) for v in native.covered(roi[2:3], roi[4:5], height, stride))
    x0, x1 = (int(v) for v in native.covered(roi[1:2], roi[3:4], width, stride))
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


@pytest.mark.parametrize("bins", [1, 3, 7])
def test_mean_against_loops(bins):
    torch.manual_seed(1)
    groups = 3
    maps, rois = torch.randn(2, bins * bins * groups, 7, 9), some_rois(25, seed=bins)
    found = native.box_deltas(maps, rois, bins, 0, 16)
    expected = torch.tensor([[by_loops(maps, roi, bins, 16, g, groups) for g in range(groups)] for roi in rois])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    assert (found != 0).any(dim=1).sum() > 20


def test_logits_are_the_mean_of_the_larger_side():
    torch.manual_seed(2)
    bins, classes = 3, 4
    maps, rois = torch.randn(2, bins * bins * 2 * classes, 7, 9), some_rois(20, seed=9)
    sides = maps.reshape(2, bins * bins, 2, classes, 7, 9)
    larger = sides.amax(dim=2).reshape(2, -1, 7, 9)
    expected = torch.tensor([[by_loops(larger, roi, bins, 16, label, classes) for label in range(classes)] for roi in rois])
    torch.testing.assert_close(native.class_logits(maps, rois, bins, 21, 16), expected, atol=1e-6, rtol=1e-6)


def test_a_mask_is_every_pixel_of_the_roi_read_from_its_part():
    """Sampled at one point per pixel, it is the copy that the patent describes."""
    torch.manual_seed(2)
    bins, classes, rows, columns = 3, 4, 4, 6
    maps = torch.randn(2, bins * bins * 2 * classes, 7, 9)
    roi = torch.tensor([[1.0, 16, 32, 16 + 16 * columns - 1, 32 + 16 * rows - 1]])
    found = native.mask_logits(maps, roi, torch.tensor([2]), bins, 12, 16)[0]  # 12 points: 3 a row, 2 a column
    for side in (0, 1):
        for y in range(rows):
            for x in range(columns):
                i, j = (2 * y + 1) * bins // (2 * rows), (2 * x + 1) * bins // (2 * columns)
                value = maps[1, ((i * bins + j) * 2 + side) * classes + 2, 2 + y, 1 + x]
                assert (found[side, 3 * y : 3 * y + 3, 2 * x : 2 * x + 2] == value).all()


def test_masks_of_rois_anywhere_hold_values_of_their_own_class_only():
    torch.manual_seed(4)
    maps, rois, labels = torch.randn(2, 9 * 2 * 4, 7, 9), some_rois(40, seed=5), torch.arange(40) % 4
    pairs = native.mask_logits(maps, rois, labels, 3, 21, 16)
    own, outside = maps.reshape(2, 9, 2, 4, 7, 9), 0
    for pair, roi, label in zip(pairs, rois, labels.tolist(), strict=True):
        if roi[3] < 0 or roi[4] < 0:
            assert (pair == 0).all()
            outside += 1
            continue
        for side in (0, 1):
            assert torch.isin(pair[side], own[int(roi[0]), :, side, label]).all()
    assert outside < 5


def test_winner_masks_are_of_the_best_foreground_class():
    torch.manual_seed(6)
    maps, rois, scores = torch.randn(2, 9 * 2 * 4, 7, 9), some_rois(8, seed=6), torch.rand(8, 4)
    scores[0], scores[1] = torch.tensor([0.9, 0.05, 0.05, 0.0]), torch.nan
    labels = scores.nan_to_num(-1)[:, 1:].argmax(dim=1) + 1
    assert labels[:2].tolist() == [1, 1]
    pairs = native.mask_logits(maps, rois, labels, 3, 9, 16)
    torch.testing.assert_close(native.winner_masks(maps, rois, scores, 3, 9, 16), torch.softmax(pairs, dim=1)[:, 1])


def test_what_is_no_roi_gives_zeros():
    maps = torch.ones(1, 9 * 2 * 2, 4, 4)
    nan, inf = float("nan"), float("inf")
    rois = torch.tensor([[-1.0, 0, 0, 31, 31], [0, nan, 0, 31, 31], [0, 0, 0, inf, 31], [0.5, 0, 0, 31, 31], [1, 0, 0, 31, 31],
                         [0, 40, 0, 10, 31], [0, 900, 900, 999, 999], [0, -1e9, 0, -5e8, 31]])  # fmt: skip
    assert native.class_logits(maps, rois, 3, 21, 16).abs().sum() == 0
    assert native.mask_logits(maps, rois, torch.ones(8, dtype=torch.int64), 3, 4, 16).abs().sum() == 0
    whole = torch.tensor([[0.0, 0, 0, 31, 31]])
    assert native.mask_logits(maps, whole, torch.tensor([2]), 3, 4, 16).abs().sum() == 0
    assert native.mask_logits(maps, whole, torch.tensor([1]), 3, 4, 16).min() == 1


def test_gradients():
    """Of a function linear in the maps: a step of one in a map changes the result by the gradient."""
    torch.manual_seed(3)
    maps = torch.randn(1, 4 * 2 * 2, 3, 4, dtype=torch.float64, requires_grad=True)
    rois, labels = torch.tensor([[0.0, 3, 5, 40, 44], [0, 0, 0, 63, 47], [0, 20, 20, 21, 21]]), torch.tensor([1, 0, 1])
    functions = (
        lambda maps: native.box_deltas(maps, rois, 2, 0, 16),
        lambda maps: native.mask_logits(maps, rois, labels, 2, 6, 16),
    )
    for function in functions:
        grad = torch.randn(function(maps).shape)
        own = torch.autograd.grad(function(maps), maps, grad)[0]
        seen = 0
        for channel in range(16):
            step = torch.zeros_like(maps)
            step[0, channel, 1, 2] = 1.0
            change = float(((function(maps + step) - function(maps)) * grad).sum().detach())
            assert change == pytest.approx(float(own[0, channel, 1, 2]), abs=1e-5)
            seen += change != 0
        assert seen >= 4


def test_gradient_goes_to_the_larger_side_and_outside_when_equal():
    maps = torch.zeros(1, 2, 1, 3, requires_grad=True)  # one part, one class: outside, inside
    values = torch.tensor([[[[1.0, 2.0, 3.0]], [[0.0, 2.0, 9.0]]]])
    logits = native.class_logits(maps + values, torch.tensor([[0.0, 0, 0, 47, 15]]), 1, 1, 16)
    assert logits.item() == pytest.approx((1 + 2 + 9) / 3)
    logits.backward()
    torch.testing.assert_close(maps.grad, torch.tensor([[[[1.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]]]) / 3)
