# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The patent's assembling, compiled and in plain PyTorch, against loops over cells and a table one can check with a pencil."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import arguments_of, channels_of, spoil

from fcis_ros.ops import patent as compiled
from fcis_ros.ops.reference import patent_averages as slow

BOTH = pytest.mark.parametrize("patent", [slow, compiled], ids=["reference", "compiled"])
LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["nchw", "channels_last"])
NAMES = ("class_logits", "mask_logits", "box_deltas")


@pytest.mark.parametrize(
    ("cells", "bins", "edges"),
    [
        (7, 7, [0, 1, 2, 3, 4, 5, 6, 7]),
        (14, 7, [0, 2, 4, 6, 8, 10, 12, 14]),
        (3, 7, [0, 0, 1, 1, 2, 2, 3, 3]),  # cells 0, 1, 2 belong to bins 1, 3 and 5
        (1, 3, [0, 0, 1, 1]),  # the only cell belongs to the bin in the middle
        (5, 2, [0, 2, 5]),
        (4, 3, [0, 1, 3, 4]),
    ],
)
def test_bins_are_even(cells, bins, edges):
    found = slow.bin_edges(torch.tensor([10]), torch.tensor([10 + cells]), bins)
    assert (found - 10).tolist() == [edges]


def test_bins_of_any_size_are_even_and_mirror():
    mirrored = 0
    for bins in (1, 2, 3, 5, 7):
        for cells in range(1, 70):
            edges = slow.bin_edges(torch.tensor([0]), torch.tensor([cells]), bins)[0]
            counts = edges.diff()
            assert edges[0] == 0 and edges[-1] == cells and counts.max() - counts.min() <= 1
            places = [(2 * u + 1) * bins // (2 * cells) for u in range(cells)]
            assert counts.tolist() == [places.count(place) for place in range(bins)]
            if all((2 * u + 1) * bins % (2 * cells) for u in range(cells)):  # else a centre lies on an edge between bins
                assert counts.tolist() == counts.flip(0).tolist()
                mirrored += 1
    assert mirrored > 200


@pytest.mark.parametrize(
    ("low", "high", "begin", "end"),
    [
        (0, 15, 0, 1), (0, 16, 0, 2), (15.4, 15.4, 0, 1), (15.5, 15.5, 1, 2), (-40, 40, 0, 3), (500, 600, 10, 10),
        (20, 10, 1, 1), (30, 20, 1, 1),
    ],
)  # fmt: skip
def test_an_roi_covers_every_cell_that_it_touches(low, high, begin, end):
    found = slow.covered(torch.tensor([float(low)]), torch.tensor([float(high)]), 10, 16)
    assert [int(edge) for edge in found] == [begin, end]


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
def test_mean_against_loops(patent, bins):
    torch.manual_seed(1)
    groups = 3
    maps, rois = torch.randn(2, bins * bins * groups, 7, 9), some_rois(25, seed=bins)
    found = patent.box_deltas(maps, rois, bins, 0, 16)
    expected = torch.tensor([[by_loops(maps, roi, bins, 16, g, groups) for g in range(groups)] for roi in rois])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    assert (found != 0).any(dim=1).sum() > 20


@BOTH
def test_logits_are_the_mean_of_the_larger_side(patent):
    torch.manual_seed(2)
    bins, classes = 3, 4
    maps, rois = torch.randn(2, bins * bins * 2 * classes, 7, 9), some_rois(20, seed=9)
    sides = maps.reshape(2, bins * bins, classes, 2, 7, 9)
    larger = sides.amax(dim=3).reshape(2, -1, 7, 9)
    expected = torch.tensor([[by_loops(larger, roi, bins, 16, label, classes) for label in range(classes)] for roi in rois])
    torch.testing.assert_close(patent.class_logits(maps, rois, classes, bins, 21, 16), expected, atol=1e-6, rtol=1e-6)


@BOTH
def test_a_mask_is_every_cell_of_the_roi_read_from_its_bin(patent):
    """Sampled at one point per cell, it is the copy that the patent describes."""
    torch.manual_seed(2)
    bins, classes, rows, columns = 3, 4, 4, 6
    maps = torch.randn(2, bins * bins * 2 * classes, 7, 9)
    roi = torch.tensor([[1.0, 16, 32, 16 + 16 * columns - 1, 32 + 16 * rows - 1]])
    found = patent.mask_logits(maps, roi, torch.tensor([2]), bins, 12, 16)[0]  # 12 points: 3 a row, 2 a column
    for side in (0, 1):
        for y in range(rows):
            for x in range(columns):
                i, j = (2 * y + 1) * bins // (2 * rows), (2 * x + 1) * bins // (2 * columns)
                value = maps[1, ((i * bins + j) * classes + 2) * 2 + side, 2 + y, 1 + x]
                assert (found[side, 3 * y : 3 * y + 3, 2 * x : 2 * x + 2] == value).all()


@BOTH
def test_masks_of_rois_anywhere_hold_values_of_their_own_class_only(patent):
    torch.manual_seed(4)
    maps, rois, labels = torch.randn(2, 9 * 2 * 4, 7, 9), some_rois(40, seed=5), torch.arange(40) % 4
    pairs = patent.mask_logits(maps, rois, labels, 3, 21, 16)
    own, outside = maps.reshape(2, 9, 4, 2, 7, 9), 0
    for pair, roi, label in zip(pairs, rois, labels.tolist(), strict=True):
        if roi[3] < 0 or roi[4] < 0:
            assert (pair == 0).all()
            outside += 1
            continue
        for side in (0, 1):
            assert torch.isin(pair[side], own[int(roi[0]), :, label, side]).all()
    assert outside < 5


def test_best_class_masks_are_of_the_best_foreground_class():
    torch.manual_seed(6)
    maps, rois, scores = torch.randn(2, 9 * 2 * 4, 7, 9), some_rois(8, seed=6), torch.rand(8, 4)
    scores[0], scores[1] = torch.tensor([0.9, 0.05, 0.05, 0.0]), torch.nan
    labels = scores.nan_to_num(-1)[:, 1:].argmax(dim=1) + 1
    assert labels[:2].tolist() == [1, 1]
    pairs = compiled.mask_logits(maps, rois, labels, 3, 9, 16)
    torch.testing.assert_close(compiled.best_class_masks(maps, rois, scores, 3, 9, 16), torch.softmax(pairs, dim=1)[:, 1])


@BOTH
def test_what_is_no_roi_gives_zeros(patent):
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
def test_gradients(patent):
    """Of a function linear in the maps: a step of one in a map changes the result by the gradient."""
    torch.manual_seed(3)
    maps = torch.randn(1, 4 * 4 * 2, 3, 4, requires_grad=True)
    rois, labels = torch.tensor([[0.0, 3, 5, 40, 44], [0, 0, 0, 63, 47], [0, 20, 20, 21, 21]]), torch.tensor([1, 0, 1])
    functions = (
        lambda maps: patent.box_deltas(maps, rois, 2, 0, 16),
        lambda maps: patent.mask_logits(maps, rois, labels, 2, 6, 16),
    )
    for function in functions:
        grad = torch.randn(function(maps).shape)
        own = torch.autograd.grad(function(maps), maps, grad)[0]
        seen = 0
        for channel in range(32):
            step = torch.zeros_like(maps)
            step[0, channel, 1, 2] = 1.0
            change = float(((function(maps + step) - function(maps)) * grad).sum().detach())
            assert change == pytest.approx(float(own[0, channel, 1, 2]), abs=1e-5)
            seen += change != 0
        assert seen >= 4


@BOTH
def test_gradient_goes_to_the_larger_side_and_outside_when_equal(patent):
    maps = torch.zeros(1, 8, 1, 3, requires_grad=True)  # one bin, one class: outside, inside, padding
    values = torch.tensor([[[[1.0, 2.0, 3.0]], [[0.0, 2.0, 9.0]], *[[[torch.nan] * 3]] * 6]])
    logits = patent.class_logits(maps + values, torch.tensor([[0.0, 0, 0, 47, 15]]), 1, 1, 1, 16)
    assert logits.item() == pytest.approx((1 + 2 + 9) / 3)
    logits.backward()
    torch.testing.assert_close(maps.grad, torch.tensor([[[[1.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]], *[[[0.0] * 3]] * 6]]) / 3)


def random_rois(count, seed):
    """Inside, across and outside the border of a 144x112 image, of every size, some inside out, some that are no ROIs."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 260 - 60
    corner = torch.where(torch.rand(count, 2, generator=generator) < 0.5, corner.round() + 0.5, corner)  # roundings
    side = torch.rand(count, 2, generator=generator) ** 2 * 260 - 10
    rois = torch.cat([torch.randint(0, 2, (count, 1), generator=generator).float(), corner, corner + side], dim=1)
    bad = [(1, torch.nan), (4, torch.inf), (0, -1), (0, 2), (2, -torch.inf), (3, 1e30), (0, 0.5), (2, -3e38)]
    for row, (column, value) in enumerate(bad[: max(0, count - 3)]):
        rois[row, column] = value
    return rois


def case(name, count, classes=4, bins=3, height=7, width=9, seed=0):
    """Maps in steps of 1/8, so that sides are often equal, ROIs, and labels, some of no class."""
    shape = (2, channels_of(name, classes, bins), height, width)
    maps = torch.randint(-30, 31, shape, generator=torch.Generator().manual_seed(seed)) / 8
    return spoil(name, maps, classes), (random_rois(count, seed), *arguments_of(name, classes, count, none=True))


def value_and_gradient(patent, name, maps, arguments, bins, size):
    own = maps.detach().clone().requires_grad_()
    value = getattr(patent, name)(own, *arguments, bins, size, 16)
    (grad,) = torch.autograd.grad(value, own, torch.randn(value.shape, generator=torch.Generator().manual_seed(3)))
    return value.detach(), grad


@given(
    name=st.sampled_from(NAMES),
    classes=st.integers(1, 40),
    bins=st.sampled_from([1, 2, 3, 7]),
    size=st.sampled_from([1, 5, 12]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    count=st.integers(1, 14),
    seed=st.integers(0, 999),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_compiled_is_the_reference(name, classes, bins, size, height, width, count, seed, layout, dtype):
    maps, arguments = case(name, count, classes, bins, height, width, seed)
    maps = maps.to(dtype).to(memory_format=layout)  # exactly, whatever the precision
    value, grad = value_and_gradient(compiled, name, maps, arguments, bins, size)
    expected, expected_grad = value_and_gradient(slow, name, maps.float(), arguments, bins, size)
    torch.testing.assert_close(value, expected, atol=1e-6, rtol=1e-6)
    assert grad.dtype == dtype and grad.is_contiguous(memory_format=layout)
    tolerance = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 3e-2}[dtype]
    torch.testing.assert_close(grad.float(), expected_grad, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_no_rois(name):
    maps, arguments = case(name, 0)
    value, grad = value_and_gradient(compiled, name, maps, arguments, 3, 9)
    assert value.shape[0] == 0 and grad.abs().sum() == 0


@LAYOUTS
@pytest.mark.parametrize("name", NAMES)
def test_results_do_not_depend_on_threads(name, layout):
    maps, arguments = case(name, 60, 21, 7)
    results, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            results.append(value_and_gradient(compiled, name, maps.to(memory_format=layout), arguments, 7, 21))
    finally:
        torch.set_num_threads(threads)
    for value, grad in results[1:]:
        assert torch.equal(value, results[0][0]) and torch.equal(grad, results[0][1])


def test_small_differences_survive_large_sums():
    """A table in float32 would know the mean of one cell behind 4000 others of 100 to 0.03 only."""
    maps = torch.full((1, 8, 64, 64), 100.0)
    maps[0, 1, 63, 63] = 100.001
    corner = torch.tensor([[0.0, 1008, 1008, 1023, 1023]])
    assert compiled.class_logits(maps, corner, 1, 1, 1, 16).item() == maps[0, 1, 63, 63].item()


@pytest.mark.filterwarnings("ignore:Input #0 requires gradient")
@pytest.mark.parametrize("name", NAMES)
def test_gradcheck(name):
    maps = torch.randn(1, channels_of(name, 2, 2), 4, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    rois = torch.tensor([[0, 2.0, 3, 50, 60], [0, -9, 20, 200, 61]])
    own = arguments_of(name, 2, 2)
    # The maps are float32, so the finite differences are coarse.
    assert torch.autograd.gradcheck(
        lambda values: getattr(compiled, name)(values, rois, *own, 2, 4, 16), maps, eps=1e-2, atol=1e-2, rtol=1e-2
    )


@pytest.mark.parametrize("name", NAMES)
def test_opcheck(name):
    maps, (rois, *own) = case(name, 12)
    forward, backward = (getattr(torch.ops.fcis_ros, f"patent_{name}{end}").default for end in ("", "_backward"))
    geometry = (3, 5, 16) if name == "mask_logits" else (3, 16)
    torch.library.opcheck(forward, (maps.clone().requires_grad_(), rois, *own, *geometry))
    grad, labels = torch.ones_like(forward(maps, rois, *own, *geometry)), own if name == "mask_logits" else ()
    torch.library.opcheck(backward, (grad, maps, rois, *labels, *geometry))


MAPS, ROIS, LABELS = torch.zeros(1, 72, 4, 4), torch.zeros(2, 5), torch.zeros(2, dtype=torch.long)
BAD = {
    "maps: expected float32, float16 or bfloat16": ("class_logits", MAPS.double(), ROIS, 4, 3, 9, 16),
    "maps: 71 channels are no multiple of 9": ("box_deltas", MAPS[:, 1:].contiguous(), ROIS, 3, 9, 16),
    "rois: expected \\[R, 5\\]": ("box_deltas", MAPS, ROIS[:, 1:], 3, 9, 16),
    "bins: expected 1..64": ("class_logits", MAPS, ROIS, 4, 0, 9, 16),
    "classes: 5 classes do not fit the 72 channels of maps with bins = 3": ("class_logits", MAPS, ROIS, 5, 3, 9, 16),
    "size: expected 1..512, got 0": ("mask_logits", MAPS, ROIS, LABELS, 3, 0, 16),
    "labels: expected \\[2\\]": ("mask_logits", MAPS, ROIS, LABELS[:1], 3, 9, 16),
    "stride: expected": ("class_logits", MAPS, ROIS, 4, 3, 9, 0),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_arguments_are_named(message):
    name, *arguments = BAD[message]
    with pytest.raises(ValueError, match=message):
        getattr(compiled, name)(*arguments)
