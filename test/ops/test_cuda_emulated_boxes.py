# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels on boxes, run on the host: against the slow reference and, bit by bit, the CPU operators."""

import ctypes

import pytest
import torch
from operator_inputs import LAYOUTS, assert_equal

from fcis_ros import ops
from fcis_ros.ops import reference

pytestmark = pytest.mark.compiler

ORDERS = pytest.mark.parametrize("order", [0, 1, 7], ids=["ascending", "descending", "shuffled"])


@pytest.fixture(scope="module")
def boxes_of(emulate):
    return emulate("boxes.cu", "nms.cu")


def run_nms(boxes_of, boxes, scores, threshold, limit):
    kept, space = torch.full((limit,), 7), boxes_of.workspace("nms", len(boxes))
    boxes_of("fcis::cuda::nms", boxes, scores, len(boxes), threshold, limit, space, kept, None)
    return kept


def run_class_nms(boxes_of, boxes, scores, threshold, floor, limit):
    rois, labels = torch.full((2, limit), 7)
    count, classes = scores.shape
    space = boxes_of.workspace("class_nms", count, classes, limit)
    boxes_of("fcis::cuda::class_nms", boxes, scores, count, classes, threshold, floor, limit, space, rois, labels, None)
    return rois, labels


def random_boxes(count: int, seed: int, spread: float = 200.0) -> torch.Tensor:
    """Many overlap, some are equal, some reversed, some invalid."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * spread
    boxes = torch.cat([corner, corner + torch.rand(count, 2, generator=generator) * 80 - 5], dim=1)
    if count > 20:
        boxes[5] = boxes[9] = boxes[2]
        boxes[3, 1], boxes[count // 2, 3], boxes[count - 1, 0] = torch.nan, torch.inf, -torch.inf
        boxes[11:14] = boxes[11:14].round()
        boxes[17, 2:] = boxes[17, :2] - 1  # no area at all
    return boxes


def random_scores(*shape: int, seed: int) -> torch.Tensor:
    """Many ties, both zeros, negative ones, some that are not finite."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.round(torch.rand(*shape, generator=generator) * 40 - 4) / 32
    flat = scores.view(-1)
    for index, value in enumerate([0.0, -0.0, torch.nan, torch.inf, -torch.inf, -0.0, 0.0, 1e-45, -1e-45]):
        if index * 3 < len(flat):
            flat[index * 3] = value
    return scores


@pytest.mark.parametrize(
    ("count", "threshold", "limit"),
    [(0, 0.5, 5), (1, 0.5, 3), (64, 0.3, 64), (65, 0.7, 9), (700, 0.7, 60), (300, 0.0, 0), (130, 1.5, 200), (130, -1.0, 20)],
)
def test_nms_any_size_equals_reference(boxes_of, count, threshold, limit):
    boxes, scores = random_boxes(count, seed=count), random_scores(count, seed=count + 1)
    expected = reference.nms(boxes, scores, threshold, limit)
    assert torch.equal(run_nms(boxes_of, boxes, scores, threshold, limit), expected)
    assert torch.equal(ops.nms(boxes, scores, threshold, limit), expected)


@ORDERS
def test_nms_any_order_of_threads_equals_reference(boxes_of, order):
    boxes_of.order(order)
    for seed in (order, order + 1):  # other boxes every time: static shared memory still holds what was computed last
        boxes, scores = random_boxes(400, seed=seed, spread=400), random_scores(400, seed=seed)
        assert torch.equal(run_nms(boxes_of, boxes, scores, 0.5, 300), reference.nms(boxes, scores, 0.5, 300))
        boxes, scores = random_boxes(150, seed=seed, spread=90), random_scores(150, 4, seed=seed)
        actual = run_class_nms(boxes_of, boxes, scores, 0.3, 0.1, 40)
        assert all(map(torch.equal, actual, reference.class_nms(boxes, scores, 0.3, 0.1, 40)))
    boxes_of.order(0)


@pytest.mark.parametrize(
    ("count", "classes", "threshold", "floor", "limit"),
    [(0, 4, 0.3, 0.0, 5), (9, 1, 0.3, 0.0, 5), (40, 2, 0.3, -1.0, 3), (100, 9, 0.3, 1e-3, 100), (70, 21, 0.5, 1.0, 400),
     (64, 3, 0.3, 2.0, 4), (90, 4, 0.3, float("nan"), 8), (30, 3, 0.3, 0.0, 0)],
)  # fmt: skip
def test_class_nms_any_size_equals_reference(boxes_of, count, classes, threshold, floor, limit):
    boxes, scores = random_boxes(count, seed=count), random_scores(count, classes, seed=count + 1)
    expected = reference.class_nms(boxes, scores, threshold, floor, limit)
    assert all(map(torch.equal, run_class_nms(boxes_of, boxes, scores, threshold, floor, limit), expected))
    assert all(map(torch.equal, ops.class_nms(boxes, scores, threshold, floor, limit), expected))


def test_nms_as_many_boxes_as_the_network_equals_cpu(boxes_of):
    boxes, scores = random_boxes(6000, seed=1, spread=900), random_scores(6000, seed=2)
    assert torch.equal(run_nms(boxes_of, boxes, scores, 0.7, 300), ops.nms(boxes, scores, 0.7, 300))
    boxes, scores = random_boxes(600, seed=3, spread=400), random_scores(600, 21, seed=4)
    ours, expected = (run(boxes, scores, 0.3, 0.5, 100) for run in (lambda *a: run_class_nms(boxes_of, *a), ops.class_nms))
    assert all(map(torch.equal, ours, expected))


class Strided(ctypes.Structure):
    """``struct Strided`` of boxes.h."""

    _fields_ = [("data", ctypes.c_void_p), *((name, ctypes.c_int64) for name in ("channel", "row", "column"))]


class Rpn(ctypes.Structure):
    """``struct Rpn`` of boxes.h."""

    _fields_ = [
        ("logits", Strided), ("deltas", Strided), ("anchors", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("count", "rows", "columns")),
        *((name, ctypes.c_float) for name in ("stride", "height", "width", "min_size")),
    ]  # fmt: skip


class Stds(ctypes.Structure):
    """``struct Stds`` of boxes.h."""

    _fields_ = [("values", ctypes.c_float * 4)]


class VoteInputs(ctypes.Structure):
    """``struct VoteInputs`` of boxes.h."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("boxes", "scores", "winners", "labels")),
        ("count", ctypes.c_int64), ("classes", ctypes.c_int64), ("threshold", ctypes.c_double),
    ]  # fmt: skip


def garbage(*shape: int, dtype=torch.float32) -> torch.Tensor:
    return torch.full(shape, 7, dtype=dtype)


@ORDERS
@LAYOUTS
@pytest.mark.parametrize(("anchors", "rows", "columns"), [(1, 1, 1), (3, 5, 7), (12, 6, 9)])
def test_decode_anchors_any_layout_equals_cpu(boxes_of, order, layout, anchors, rows, columns):
    generator = torch.Generator().manual_seed(rows)
    logits = torch.randn(1, 2 * anchors, rows, columns, generator=generator) * 4
    deltas = torch.randn(1, 4 * anchors, rows, columns, generator=generator) * 2
    logits.view(-1)[0], deltas.view(-1)[-1] = torch.nan, torch.inf
    logits, deltas = (tensor.to(memory_format=layout)[0] for tensor in (logits, deltas))
    base = random_boxes(anchors, seed=1, spread=30)
    actual = garbage(rows * columns * anchors, 4), garbage(rows * columns * anchors)
    views = (Strided(tensor.data_ptr(), *tensor.stride()) for tensor in (logits, deltas))
    boxes_of.order(order)
    boxes_of("fcis::cuda::decode_anchors", Rpn(*views, base.data_ptr(), anchors, rows, columns, 16, 70, 90, 3), *actual, None)
    boxes_of.order(0)
    assert_equal(actual, ops.decode_anchors(logits, deltas, base, 16, 70, 90, 3.0))


@pytest.mark.parametrize("count", [0, 1, 300])
def test_decode_rois_any_count_equals_cpu(boxes_of, count):
    rois = torch.cat([torch.arange(count)[:, None] % 3, random_boxes(count, seed=2)], dim=1).float()
    deltas = random_scores(count, 4, seed=3) * 5
    moved = garbage(count, 5)
    boxes_of("fcis::cuda::decode_rois", rois, deltas, count, Stds((0.1, 0.1, 0.2, 0.2)), 90.0, 110.0, moved, None)
    assert_equal([moved], [ops.decode_rois(rois, deltas, (0.1, 0.1, 0.2, 0.2), 90, 110)])


@ORDERS
@pytest.mark.parametrize(("count", "classes"), [(0, 3), (1, 1), (100, 4), (60, 81)])
def test_rois_to_image_and_vote_weights_any_count_equal_cpu(boxes_of, order, count, classes):
    rois, scores = random_boxes(count, seed=count, spread=90), torch.rand(count, classes)
    scores[7:9, -1] = torch.nan
    mapped = garbage(count, 4), garbage(count, 4, dtype=torch.int32), garbage(count, dtype=torch.bool)
    boxes_of.order(order)
    boxes_of("fcis::cuda::rois_to_image", rois, scores, count, classes, 1.5, 4.0, 60.0, 70.0, *mapped, None)
    assert_equal(mapped, ops.rois_to_image(rois, scores, 1.5, 4.0, 60, 70))
    winners, labels = ops.class_nms(mapped[0], scores, 0.5, 0.3, 12)
    for threshold in (0.5, 0.0, 1.1):
        votes = VoteInputs(*(t.data_ptr() for t in (mapped[0], scores, winners, labels)), count, classes, threshold)
        actual = garbage(12, count, dtype=torch.int32), garbage(12, count), garbage(12)
        boxes_of("fcis::cuda::vote_weights", votes, 12, *actual, None)
        assert_equal(actual, ops.vote_weights(mapped[0], scores, winners, labels, threshold))
    boxes_of.order(0)


def test_vote_weights_missing_winners_have_no_voters(boxes_of):
    boxes, scores = torch.tensor([[0.0, 0, 9, 9]] * 2), torch.full((2, 3), 0.5)
    winners, labels = torch.tensor([1, 2, 0, -1, 2**40]), torch.tensor([2, 1, 3, 1, 2**40])
    votes = VoteInputs(*(t.data_ptr() for t in (boxes, scores, winners, labels)), 2, 3, 0.5)
    voters, weights, best = garbage(5, 2, dtype=torch.int32), garbage(5, 2), garbage(5)
    boxes_of("fcis::cuda::vote_weights", votes, 5, voters, weights, best, None)
    assert voters.tolist() == [[0, 1]] + [[-1, -1]] * 4
    assert weights.tolist() == [[0.5, 0.5]] + [[0, 0]] * 4
    assert best.tolist() == [0.5, 0, 0, 0, 0]


def test_box_kernels_edge_sizes_stay_inside_arrays(boxes_of):
    for count in (1, 63, 65, 130):
        test_nms_any_size_equals_reference(boxes_of, count, 0.4, 20)
        test_class_nms_any_size_equals_reference(boxes_of, count, 3, 0.4, 0.1, 20)
        test_decode_rois_any_count_equals_cpu(boxes_of, count)
        test_rois_to_image_and_vote_weights_any_count_equal_cpu(boxes_of, 7, count, 5)


def test_decode_anchors_edge_sizes_stay_inside_arrays(boxes_of):
    test_decode_anchors_any_layout_equals_cpu(boxes_of, 7, torch.contiguous_format, 3, 5, 7)
    test_decode_anchors_any_layout_equals_cpu(boxes_of, 7, torch.channels_last, 12, 6, 9)


@pytest.mark.slow
def test_kernels_under_sanitizer_stay_inside_arrays(sanitized):
    sanitized(__file__, "edge_sizes or missing_winners")
