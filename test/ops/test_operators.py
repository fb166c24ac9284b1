# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The compiled operators against the slow reference: values, gradients, layouts, dtypes, errors, and PyTorch's own checks."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import fcis_ros
from fcis_ros import ops
from fcis_ros.ops import library, reference

CHANNELS_LAST = torch.channels_last
LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, CHANNELS_LAST], ids=["nchw", "channels_last"])
ASSEMBLING = ("class_logits", "mask_logits", "box_deltas")


def random_maps(name: str, images=2, classes=4, bins=3, height=7, width=9, seed=0) -> torch.Tensor:
    channels = bins * bins * (4 if name == "box_deltas" else 2 * classes)
    return torch.randn(images, channels, height, width, generator=torch.Generator().manual_seed(seed))


def random_rois(count=40, images=2, seed=0) -> torch.Tensor:
    """Inside, across and outside the border of a 112x144 image, of every size, some inside out, some that are no ROIs."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 260 - 60
    side = torch.rand(count, 2, generator=generator) ** 2 * 260 - 10
    image = torch.randint(0, images, (count, 1), generator=generator).float()
    rois = torch.cat([image, corner, corner + side], dim=1)
    bad = [(1, torch.nan), (4, torch.inf), (0, -1), (0, images), (2, -torch.inf), (3, 1e30), (0, 0.5)]
    for row, (column, value) in enumerate(bad):
        if row < count:
            rois[row, column] = value
    return rois


def extra(name: str, count: int, classes=4) -> tuple[torch.Tensor, ...]:
    return (torch.arange(count) % classes,) if name == "mask_logits" else ()


def both(name, maps, rois, bins, size, classes=4):
    """The operator's and the reference's answer and gradient of the maps."""
    results = []
    for function in (getattr(ops, name), getattr(reference, name)):
        own = maps.detach().clone().requires_grad_()
        value = function(own, rois, *extra(name, len(rois), classes), bins, size, 16)
        torch.manual_seed(3)
        (grad,) = torch.autograd.grad(value, own, torch.randn_like(value)) if value.requires_grad else (torch.zeros_like(own),)
        results.append((value.detach(), grad))
    return results


@LAYOUTS
@pytest.mark.parametrize("name", ASSEMBLING)
@pytest.mark.parametrize(("classes", "bins", "size"), [(4, 7, 21), (23, 3, 9), (1, 1, 4), (81, 2, 2)])
def test_assembling_and_its_gradient(name, classes, bins, size, layout):
    maps = random_maps(name, classes=classes, bins=bins).to(memory_format=layout)
    (value, grad), (expected, expected_grad) = both(name, maps, random_rois(), bins, size, classes)
    torch.testing.assert_close(value, expected, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(grad, expected_grad, atol=2e-5, rtol=1e-4)
    assert grad.is_contiguous(memory_format=layout)


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(ASSEMBLING),
    classes=st.integers(1, 40),
    partition=st.sampled_from([(1, 1), (2, 4), (3, 9), (5, 5)]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    count=st.integers(0, 12),
    seed=st.integers(0, 999),
    layout=st.sampled_from([torch.contiguous_format, CHANNELS_LAST]),
)
def test_assembling_of_any_shape(name, classes, partition, height, width, count, seed, layout):
    bins, size = partition
    maps = random_maps(name, 2, classes, bins, height, width, seed).to(memory_format=layout)
    rois = random_rois(count, seed=seed)
    (value, grad), (expected, expected_grad) = both(name, maps, rois, bins, size, classes)
    torch.testing.assert_close(value, expected, atol=5e-6, rtol=1e-5)
    torch.testing.assert_close(grad, expected_grad, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ASSEMBLING)
def test_half_precision_maps_are_summed_in_float32(name, dtype):
    """The same numbers as float32 give the same answer: nothing is rounded on the way."""
    maps, rois = random_maps(name).to(dtype), random_rois()
    arguments = (rois, *extra(name, len(rois)), 3, 9, 16)
    assert torch.equal(getattr(ops, name)(maps, *arguments), getattr(ops, name)(maps.float(), *arguments))
    own = maps.clone().requires_grad_()
    getattr(ops, name)(own, *arguments).sum().backward()
    assert own.grad.dtype == dtype and own.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_winner_masks(dtype):
    maps, rois = random_maps("mask_logits").to(dtype), random_rois()
    scores = torch.rand(len(rois), 4, generator=torch.Generator().manual_seed(4)).round(decimals=1)  # ties
    scores[3], scores[4, 2:] = torch.nan, torch.nan
    expected = reference.winner_masks(maps, rois, scores, 3, 9, 16)
    torch.testing.assert_close(ops.winner_masks(maps, rois, scores, 3, 9, 16), expected, atol=2e-6, rtol=1e-5)
    assert (ops.winner_masks(random_maps("mask_logits", classes=1), rois, scores[:, :1], 3, 9, 16) == 0.5).all()


@pytest.mark.parametrize("name", ASSEMBLING)
def test_results_do_not_depend_on_threads(name):
    maps, rois = random_maps(name, bins=7, classes=21), random_rois(100)
    results = []
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            results.append(both(name, maps, rois, 7, 21, 21)[0])
    finally:
        torch.set_num_threads(threads)
    for value, grad in results[1:]:
        assert torch.equal(value, results[0][0]) and torch.equal(grad, results[0][1])


def test_spans_of_every_extent():
    """All 500 500 integer extents within 0..999, bit for bit as the reference; the released kernel's golden cases check it."""
    low = torch.arange(1000.0).repeat_interleave(1000)
    high = torch.arange(1000.0).repeat(1000)
    low, high = low[high >= low], high[high >= low]
    edges = torch.ops.fcis_ros.span_edges(low, high, 21, 63, 16)
    start, end = reference.span_edges(low, high, 21, 63, 16)
    assert torch.equal(edges[..., 0], start) and torch.equal(edges[..., 1], end)


@pytest.mark.filterwarnings("ignore:Input #0 requires gradient")
@pytest.mark.parametrize("name", ASSEMBLING)
def test_gradcheck(name):
    maps = random_maps(name, images=1, classes=2, bins=2, height=4, width=5, seed=1).requires_grad_()
    rois = torch.tensor([[0, 2.0, 3, 50, 60], [0, -9, 20, 200, 61]])

    def run(values):
        return getattr(ops, name)(values, rois, *extra(name, 2, 2), 2, 4, 16)

    # The operators accumulate in float32, so the finite differences are coarse.
    assert torch.autograd.gradcheck(run, maps, eps=1e-2, atol=1e-2, rtol=1e-2)


def boxes_and_scores(count=60, classes=5, seed=0):
    boxes = random_rois(count, seed=seed)[:, 1:].contiguous()
    scores = torch.rand(count, classes, generator=torch.Generator().manual_seed(seed)).round(decimals=1)  # many ties
    scores[::13] = torch.nan
    return boxes, scores


@pytest.mark.parametrize("limit", [0, 5, 100])
@pytest.mark.parametrize("seed", range(5))
def test_nms(seed, limit):
    boxes, scores = boxes_and_scores(seed=seed)
    one = scores[:, 1].contiguous()
    for threshold in (0.0, 0.3, 0.7):
        assert torch.equal(ops.nms(boxes, one, threshold, limit), reference.nms(boxes, one, threshold, limit))
        ours = ops.class_nms(boxes, scores, threshold, 0.2, limit)
        for own, expected in zip(ours, reference.class_nms(boxes, scores, threshold, 0.2, limit), strict=True):
            assert torch.equal(own, expected)


def rpn_outputs(anchors=3, rows=5, columns=7, seed=0):
    """Logits, deltas and anchors, some values not finite, some candidates too small."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2 * anchors, rows, columns, generator=generator) * 4
    deltas = torch.randn(4 * anchors, rows, columns, generator=generator) * 2
    for place, value in enumerate([torch.nan, torch.inf, -torch.inf, 1e30, -1e30]):
        logits.view(-1)[place * 11], deltas.view(-1)[place * 17 + 3] = value, value
    corner = torch.rand(anchors, 2, generator=generator) * 40 - 30
    return logits, deltas, torch.cat([corner, corner + torch.rand(anchors, 2, generator=generator) * 60], dim=1)


def nearly_equal(ours: torch.Tensor, expected: torch.Tensor) -> None:
    """But for the last bit: exp() of another library."""
    torch.testing.assert_close(ours, expected, rtol=3e-7, atol=0, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(0, 10**6), st.booleans(), st.integers(0, 20))
def test_decode_anchors(anchors, rows, columns, seed, channels_last, min_size):
    rows = max(rows, 120 // (anchors * columns) + 1)  # enough for the values that are not finite
    logits, deltas, base = rpn_outputs(anchors, rows, columns, seed)
    size = (16, rows * 11, columns * 13, float(min_size))
    expected = reference.decode_anchors(logits, deltas, base, *size)
    if channels_last:
        logits, deltas = (t[None].to(memory_format=CHANNELS_LAST)[0] for t in (logits, deltas))
    for own, theirs in zip(ops.decode_anchors(logits, deltas, base, *size), expected, strict=True):
        nearly_equal(own, theirs)
    assert torch.isneginf(expected[1]).any()


@pytest.mark.parametrize("seed", range(4))
def test_decode_rois(seed):
    rois, deltas = random_rois(60, seed=seed), torch.randn(60, 4, generator=torch.Generator().manual_seed(seed)) * 9
    deltas[7, 2], deltas[8, 0], deltas[9, 3] = torch.nan, torch.inf, -torch.inf
    arguments = (rois, deltas, (0.1, 0.1, 0.2, 0.2), 90, 110)
    nearly_equal(ops.decode_rois(*arguments), reference.decode_rois(*arguments))


@pytest.mark.parametrize("seed", range(4))
def test_place_rois_and_elect(seed):
    boxes, scores = boxes_and_scores(70, seed=seed)
    boxes = torch.cat([boxes, boxes[:40] + torch.randn(40, 4, generator=torch.Generator().manual_seed(seed))])
    scores = torch.cat([scores, scores[:40]])
    for scale, min_size, height, width in [(1.0, 1.0, 90, 120), (1.6, 7.0, 50, 33), (0.3, 2.0, 1, 1)]:
        placed = ops.place_rois(boxes, scores, scale, min_size, height, width)
        for own, expected in zip(placed, reference.place_rois(boxes, scores, scale, min_size, height, width), strict=True):
            assert own.dtype == expected.dtype
            torch.testing.assert_close(own, expected, rtol=0, atol=0, equal_nan=True)
        rois, labels = ops.class_nms(placed[0], scores, 0.3, 0.2, 20)
        for threshold in (0.5, 0.0, 1.0, 1.1):
            ours = ops.elect(placed[0], scores, rois, labels, threshold)
            for own, expected in zip(ours, reference.elect(placed[0], scores, rois, labels, threshold), strict=True):
                assert own.dtype == expected.dtype
                torch.testing.assert_close(own, expected, rtol=2e-7, atol=0)


def test_no_rois_elect_nobody():
    boxes, scores, none = torch.zeros(0, 4), torch.zeros(0, 3), torch.full((2,), -1)
    for with_ops in (ops, reference):
        voters, weights, best = with_ops.elect(boxes, scores, none, none, 0.5)
        assert voters.shape == weights.shape == (2, 0) and best.tolist() == [0, 0]
        assert [t.shape[0] for t in with_ops.place_rois(boxes, scores, 1.0, 1.0, 5, 5)] == [0, 0, 0]
        assert with_ops.decode_rois(torch.zeros(0, 5), boxes, (1.0,) * 4, 5, 5).shape == (0, 5)


@st.composite
def elections(draw):
    """Arguments of vote_masks: smooth masks over boxes of every size in a small image."""
    height, width = draw(st.integers(1, 50)), draw(st.integers(1, 60))
    rois, winners, size = draw(st.integers(1, 6)), draw(st.integers(0, 4)), draw(st.sampled_from([1, 2, 5, 21]))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    x, y = np.sort(random.integers(0, width, (2, rois)), axis=0), np.sort(random.integers(0, height, (2, rois)), axis=0)
    boxes = np.stack([x[0], y[0], x[1], y[1]], axis=1).astype(np.int32)
    masks = random.normal(0.4, 1, (rois, size, size)).cumsum(axis=1).cumsum(axis=2).clip(0, 1).astype(np.float32)
    index = np.where(random.random((winners, rois)) < 0.6, random.integers(0, rois, (winners, rois)), -1).astype(np.int32)
    weights = random.random((winners, rois)) * (index >= 0)
    weights = (weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return *map(torch.from_numpy, (boxes, masks, index, weights)), height, width


@settings(max_examples=60, deadline=None)
@given(elections(), st.booleans(), st.sampled_from([0, 21]))
def test_vote_masks(election, binarise_first, resample):
    arguments = (*election, 0.4, binarise_first, resample)
    boxes, runs, ends = ops.vote_masks(*arguments)
    height, width = election[-2:]
    expected = reference.vote_masks(*arguments)
    # Bilinear samples may differ by a rounding from OpenCV's, which shows where one meets the threshold exactly.
    own_labels = reference.label_map(boxes, runs, ends, height, width)
    labels = reference.label_map(*expected, height, width)
    assert (own_labels != labels).float().mean() <= 0.02
    assert torch.equal(ops.label_map(boxes, runs, ends, height, width), own_labels)
    assert ((boxes[:, 2:] > boxes[:, :2]).all(dim=1) == (ends.diff(prepend=torch.zeros(1, dtype=torch.int32)) > 0)).all()


def test_vote_masks_agrees_to_the_bit_on_many_boxes():
    generator = torch.Generator().manual_seed(0)
    corner = (torch.rand(60, 2, generator=generator) * torch.tensor([150.0, 100])).int()
    boxes = torch.cat([corner, corner + 1 + (torch.rand(60, 2, generator=generator) * 48).int()], dim=1).int()
    masks = torch.rand(60, 21, 21, generator=generator)
    index = torch.where(torch.rand(20, 60, generator=generator) < 0.2, torch.arange(60), -1).int()
    weights = torch.rand(20, 60, generator=generator) / 6
    for resample in (0, 21):
        ours = ops.vote_masks(boxes, masks, index, weights, 150, 200, 0.4, True, resample)
        theirs = reference.vote_masks(boxes, masks, index, weights, 150, 200, 0.4, True, resample)
        for own, expected in zip(ours, theirs, strict=True):
            assert torch.equal(own, expected)


def test_an_object_in_the_corner_of_the_image_stays_whole():
    """Its four pixels, as 4x4 samples: those past the image see what is on its edge, 1; were it 0, a corner would get 0.766."""
    boxes, masks = torch.tensor([[0, 0, 1, 1]], dtype=torch.int32), torch.ones(1, 1, 1)
    for with_ops in (ops, reference):
        found = with_ops.vote_masks(boxes, masks, torch.zeros(1, 1, dtype=torch.int32), torch.ones(1, 1), 2, 2, 0.8, True, 4)
        assert [part.flatten().tolist() for part in found] == [[0, 0, 2, 2], [0, 4], [2]]


def test_votes_in_a_4k_image_do_not_overflow():
    """60 ROIs of the whole image: a buffer for each would be 2 GB."""
    boxes = torch.tensor([[0, 0, 3839, 2159]], dtype=torch.int32).repeat(60, 1)
    index = torch.arange(60, dtype=torch.int32)[None]
    weights = torch.zeros(1, 60)
    weights[0, -1] = 1
    masks = torch.zeros(60, 21, 21)
    masks[-1, :, 11:] = 1
    box, runs, _ = ops.vote_masks(boxes, masks, index, weights, 2160, 3840, 0.5, True, 0)
    # Halfway between the centres of columns 10 and 11, at 10.5 and 11.5 of 3840/21 pixels.
    assert box.tolist() == [[2011, 0, 3840, 2160]]
    assert runs.tolist() == [0, (3840 - 2011) * 2160]


@settings(max_examples=40, deadline=None)
@given(elections(), st.floats(0, 1), st.integers(0, 99))
def test_paint(election, alpha, seed):
    height, width = election[-2:]
    labels = ops.label_map(*ops.vote_masks(*election, 0.4, True, 0), height, width)
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator)
    colours = torch.randint(0, 256, (len(election[2]), 3), dtype=torch.uint8, generator=generator)
    alpha = float(np.float32(alpha))
    assert torch.equal(ops.paint(image, labels, colours, alpha), reference.paint(image, labels, colours, alpha))


def test_runs_beyond_the_capacity_are_left_out():
    boxes = torch.tensor([[0, 0, 3, 3], [1, 1, 6, 6]], dtype=torch.int32)
    votes = (boxes, torch.ones(2, 1, 1), torch.tensor([[0, -1], [-1, 1]]).int(), torch.ones(2, 2), 8, 8, 0.4, True, 0)
    tight, runs, ends = ops.vote_masks(*votes)
    assert runs.tolist() == [0, 16, 0, 36] and ends.tolist() == [2, 4]
    for capacity, expected in ((6, [0, 16, 0, 36, 0, 0]), (4, [0, 16, 0, 36]), (3, [0, 16, 0]), (1, [0])):
        for with_ops in (ops, reference):
            found = with_ops.vote_masks(*votes, capacity=capacity)
            assert torch.equal(found[0], tight) and torch.equal(found[2], ends)
            assert found[1].tolist() == expected
    with pytest.raises(ValueError, match="capacity: expected"):
        ops.vote_masks(*votes, capacity=-1)


def samples() -> dict[str, tuple]:
    """Arguments of every operator, for PyTorch's own checks of schema, fake kernel and gradient."""
    rois = random_rois(6)
    boxes, scores = boxes_and_scores(8)
    voted = torch.tensor([[1, 1, 6, 5], [2, 2, 9, 9]], dtype=torch.int32)
    index = torch.tensor([[0, 1], [-1, 1], [-1, -1]], dtype=torch.int32)
    votes = (voted, torch.ones(2, 3, 3), index, torch.full((3, 2), 0.5), 12, 14)
    placed = ops.vote_masks(*votes, 0.4, True, 0)
    labels = ops.label_map(*placed, 12, 14)
    rpn = (tensor.nan_to_num(0, 0, 0) for tensor in rpn_outputs())  # opcheck finds NaN different from NaN
    score_maps, grad = random_maps("class_logits").requires_grad_(), torch.ones(6, 4)
    return {
        "class_logits": (score_maps, rois, 3, 9, 16),
        "class_logits_backward": (grad, score_maps.detach(), rois, 3, 9, 16),
        "mask_logits": (score_maps, rois, torch.arange(6) % 4, 3, 9, 16),
        "mask_logits_backward": (torch.ones(6, 2, 9, 9), score_maps.detach(), rois, torch.arange(6) % 4, 3, 9, 16),
        "winner_masks": (score_maps.detach(), rois, torch.eye(4)[torch.arange(6) % 4], 3, 9, 16),
        "box_deltas": (random_maps("box_deltas").to(memory_format=CHANNELS_LAST).requires_grad_(), rois, 3, 9, 16),
        "box_deltas_backward": (grad, random_maps("box_deltas"), rois, 3, 9, 16),
        "decode_anchors": (*rpn, 16, 60, 90, 4.0),
        "decode_rois": (rois.nan_to_num(0, 0, 0), grad, (0.1, 0.1, 0.2, 0.2), 60, 90),
        "place_rois": (rois[:, 1:].nan_to_num(0, 0, 0), torch.ones(6, 3), 1.5, -9e9, 60, 90),
        "elect": (boxes, scores, torch.tensor([3, -1]), torch.tensor([2, -1]), 0.5),
        "nms": (boxes, scores[:, 1].contiguous(), 0.5, 10),
        "class_nms": (boxes, scores, 0.5, 0.1, 10),
        "vote_masks": (*votes, 0.4, True, 0),
        "vote_masks with a capacity": (*votes, 0.4, True, 0, 99),
        "label_map": (*placed, 12, 14),
        "paint": (torch.zeros(12, 14, 3, dtype=torch.uint8), labels, torch.ones(3, 3, dtype=torch.uint8), 0.5),
    }


@pytest.mark.parametrize("name", samples())
def test_opcheck(name):
    torch.library.opcheck(getattr(torch.ops.fcis_ros, name.split()[0]).default, samples()[name])


MAPS, ROIS = torch.zeros(1, 18 * 2, 4, 4), torch.zeros(2, 5)
BAD = {
    "maps: expected float32, float16 or bfloat16": (MAPS.double(), ROIS, 3, 9, 16),
    "maps: expected \\[N, channels, h, w\\]": (MAPS[0], ROIS, 3, 9, 16),
    "maps: 35 channels are no multiple of 18": (MAPS[:, :35].contiguous(), ROIS, 3, 9, 16),
    "maps: neither contiguous nor channels-last": (MAPS.transpose(2, 3).expand(2, -1, -1, -1), ROIS, 3, 9, 16),
    "maps: expected 1..16777215 rows": (MAPS[:, :, :0], ROIS, 3, 9, 16),
    "rois: expected \\[R, 5\\]": (MAPS, ROIS[:, 1:], 3, 9, 16),
    "rois: expected float32": (MAPS, ROIS.double(), 3, 9, 16),
    "rois: not contiguous": (MAPS, torch.zeros(5, 2).T, 3, 9, 16),
    "bins: expected 1..64": (MAPS, ROIS, 0, 9, 16),
    "size: 8 is no multiple": (MAPS, ROIS, 3, 8, 16),
    "stride: expected": (MAPS, ROIS, 3, 9, 0),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_arguments_are_named(message):
    with pytest.raises((ValueError, NotImplementedError, RuntimeError), match=message):
        ops.class_logits(*BAD[message])


def test_bad_labels_and_votes_are_named():
    with pytest.raises(ValueError, match="labels: expected int64"):
        ops.mask_logits(MAPS, ROIS, torch.zeros(2), 3, 9, 16)
    with pytest.raises(ValueError, match="scores: expected \\[2, 2\\]"):
        ops.winner_masks(MAPS, ROIS, torch.zeros(2, 3), 3, 9, 16)
    with pytest.raises(ValueError, match="labels: expected \\[2\\]"):
        ops.mask_logits(MAPS, ROIS, torch.zeros(3, dtype=torch.long), 3, 9, 16)
    box, index, weight = torch.tensor([[0, 0, 4, 3]], dtype=torch.int32), torch.zeros(1, 1, dtype=torch.int32), torch.ones(1, 1)
    with pytest.raises(ValueError, match="boxes: \\(0, 0, 4, 3\\) is not inside the 4x4 image"):
        ops.vote_masks(box, torch.ones(1, 3, 3), index, weight, 4, 4, 0.4, True, 0)
    with pytest.raises(ValueError, match="index: 0, there are 0 masks"):
        ops.vote_masks(box, torch.ones(0, 3, 3), index, weight, 9, 9, 0.4, True, 0)
    with pytest.raises(ValueError, match="boxes: expected float32"):
        ops.nms(box, torch.ones(1), 0.5, 3)
    with pytest.raises(ValueError, match="runs: 3 pixels of instance 0, its box has 4"):
        ops.label_map(torch.tensor([[0, 0, 2, 2]]).int(), torch.tensor([1, 2]).int(), torch.tensor([2]).int(), 4, 4)
    with pytest.raises(ValueError, match="labels: instance 2, there are 1 colours"):
        ops.paint(torch.zeros(1, 1, 3).byte(), torch.full((1, 1), 2).to(torch.uint16), torch.zeros(1, 3).byte(), 0.5)


LOGITS, DELTAS, ANCHORS, SCORES = torch.zeros(6, 2, 2), torch.zeros(12, 2, 2), torch.zeros(3, 4), torch.zeros(2, 3)
ONE, TWO = torch.tensor([1]), torch.tensor([1, 2])
BAD_BOXES = {
    "logits: expected \\[6, -1, -1\\]": ("decode_anchors", LOGITS[1:], DELTAS, ANCHORS, 16, 9, 9, 1.0),
    "deltas: expected \\[12, 2, 2\\]": ("decode_anchors", LOGITS, DELTAS[:, 1:], ANCHORS, 16, 9, 9, 1.0),
    "anchors: expected float32": ("decode_anchors", LOGITS, DELTAS, ANCHORS.half(), 16, 9, 9, 1.0),
    "stride: expected": ("decode_anchors", LOGITS, DELTAS, ANCHORS, 0, 9, 9, 1.0),
    "height, width: expected": ("decode_rois", ROIS, ROIS[:, 1:], (1.0,) * 4, 0, 9),
    "deltas: expected \\[2, 4\\]": ("decode_rois", ROIS, ANCHORS, (1.0,) * 4, 9, 9),
    "stds: expected 4, got 3": ("decode_rois", ROIS, ROIS[:, 1:], (1.0,) * 3, 9, 9),
    "boxes: expected \\[-1, 4\\]": ("place_rois", ROIS, SCORES, 1.0, 1.0, 9, 9),
    "scores: expected \\[3, -1\\]": ("place_rois", ANCHORS, SCORES, 1.0, 1.0, 9, 9),
    "winners: expected int64": ("elect", ROIS[:, 1:], SCORES, ONE.int(), ONE, 0.5),
    "labels: expected int64 \\[1\\]": ("elect", ROIS[:, 1:], SCORES, ONE, TWO, 0.5),
    "winners: 2, there are 2 boxes": ("elect", ROIS[:, 1:], SCORES, TWO, TWO, 0.5),
    "labels: 3, there are 3 classes": ("elect", ROIS[:, 1:], SCORES, ONE, ONE + 2, 0.5),
}


@pytest.mark.parametrize("message", BAD_BOXES)
def test_bad_boxes_are_named(message):
    name, *arguments = BAD_BOXES[message]
    with pytest.raises(ValueError, match=message):
        getattr(ops, name)(*arguments)


def test_a_missing_library_names_the_build_command(tmp_path, monkeypatch):
    monkeypatch.setattr(fcis_ros, "__path__", [str(tmp_path)])
    with pytest.raises(ImportError, match="missing.*build them: `make setup`"):
        library.load()


def test_a_stale_library_names_the_build_command(monkeypatch):
    monkeypatch.setattr(library, "digest", lambda kind: f"{kind}-of-today")
    with pytest.raises(ImportError, match="built from other sources.*build it again: `make setup`"):
        library.load()


def test_a_library_of_another_pytorch_names_the_build_command(tmp_path, monkeypatch):
    (tmp_path / "_C.so").write_bytes(b"no library")
    monkeypatch.setattr(fcis_ros, "__path__", [str(tmp_path)])
    with pytest.raises(ImportError, match="does not fit PyTorch.*build it again: `make setup`"):
        library.load()


ROOT = Path(__file__).resolve().parents[2]


def test_fuzz_under_address_sanitizer(tmp_path):
    """Every CPU kernel against slow.h on random shapes and boxes, odd and enormous ones too, built with ASan and UBSan."""
    program = tmp_path / "fuzz"
    kernels = [path for path in (ROOT / "csrc" / "cpu").glob("*.cpp") if not path.name.endswith("bindings.cpp")]
    sources = [ROOT / "test" / "ops" / "fuzz.cpp", *kernels]
    subprocess.run(
        ["g++", "-std=c++17", "-O1", "-g", "-ffp-contract=off", "-Wno-psabi", "-DFCIS_NO_CLONES",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I", ROOT / "csrc" / "cpu", *sources, "-o", program],
        check=True,
    )  # fmt: skip
    done = subprocess.run([program, "400"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "400 rounds\n"
