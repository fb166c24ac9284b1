# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Suppression by its definition and by hand, and every kernel against the reference."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import assert_equal, random_boxes, random_scores

from fcis_ros import ops
from fcis_ros.ops import reference

BOTH = pytest.mark.parametrize("module", [reference, ops], ids=["reference", "compiled"])


def nms_by_definition(boxes, scores, threshold):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        a = boxes[i]
        for j in kept:
            b = boxes[j]
            w = max(min(a[2], b[2]) - max(a[0], b[0]) + 1, 0)
            h = max(min(a[3], b[3]) - max(a[1], b[1]) + 1, 0)
            areas = sum((c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b))
            if w * h / (areas - w * h) > threshold:
                break
        else:
            kept.append(i)
    return kept


CORNER, SIDE = st.integers(0, 40), st.integers(0, 30)


@given(
    st.lists(st.tuples(CORNER, CORNER, SIDE, SIDE, st.sampled_from([0.1, 0.5, 0.5, 0.9])), max_size=20),
    st.sampled_from([0.3, 0.5, 0.7]),
)
def test_nms_random_boxes_equal_definition(rows, threshold):
    boxes = [(x, y, x + w, y + h) for x, y, w, h, _ in rows]
    scores = [row[4] for row in rows]
    kept = reference.nms(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), torch.tensor(scores), threshold, 100).tolist()
    expected = nms_by_definition(boxes, scores, threshold)
    assert kept == expected + [-1] * (100 - len(expected))


@BOTH
def test_nms_iou_at_threshold_keeps_both(module):
    # 10x10 boxes that share 5x10: IoU 50/150, kept at 1/3 (only above is suppressed), dropped just below it.
    boxes = torch.tensor([[0.0, 0, 9, 9], [5, 0, 14, 9]])
    scores = torch.tensor([0.9, 0.8])
    assert module.nms(boxes, scores, 50 / 150, 3).tolist() == [0, 1, -1]
    assert module.nms(boxes, scores, 0.333, 2).tolist() == [0, -1]


@BOTH
def test_class_nms_three_boxes_match_hand_calculation(module):
    # Boxes 0 and 1 are nearly the same. Class 1 keeps 0 and 2, class 2 keeps 1 (0 is below the floor) and 2.
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29]])
    scores = torch.tensor([[0.0, 0.9, 0.05], [0.0, 0.8, 0.5], [0.0, 0.3, 0.5]])
    rois, labels = module.class_nms(boxes, scores, 0.3, 0.1, 6)
    assert rois.tolist() == [0, 1, 2, 2, -1, -1] and labels.tolist() == [1, 2, 2, 1, -1, -1]
    assert module.class_nms(boxes, scores, 0.3, 0.1, 2)[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("count", "threshold", "limit"),
    [(0, 0.5, 5), (1, 0.5, 3), (63, 0.4, 20), (64, 0.3, 64), (65, 0.7, 9), (700, 0.7, 60), (300, 0.0, 0), (130, 1.5, 200),
     (130, -1.0, 20), (400, 0.5, 300)],
)  # fmt: skip
def test_nms_any_size_equals_reference(kernels, count, threshold, limit):
    for seed in (count, count + 1):  # other boxes every time: static shared memory still holds what was computed last
        boxes, scores = random_boxes(count, seed, spread=200 if count < 400 else 400), random_scores(count, seed=seed + 1)
        expected = reference.nms(boxes, scores, threshold, limit)
        assert torch.equal(kernels.nms(boxes, scores, threshold, limit), expected)


@pytest.mark.parametrize(
    ("count", "classes", "threshold", "floor", "limit"),
    [(0, 4, 0.3, 0.0, 5), (9, 1, 0.3, 0.0, 5), (40, 2, 0.3, -1.0, 3), (100, 9, 0.3, 1e-3, 100), (70, 21, 0.5, 1.0, 400),
     (64, 3, 0.3, 2.0, 4), (90, 4, 0.3, float("nan"), 8), (30, 3, 0.3, 0.0, 0), (150, 4, 0.3, 0.1, 40)],
)  # fmt: skip
def test_class_nms_any_size_equals_reference(kernels, count, classes, threshold, floor, limit):
    for seed in (count, count + 1):
        boxes, scores = random_boxes(count, seed), random_scores(count, classes, seed=seed + 1)
        expected = reference.class_nms(boxes, scores, threshold, floor, limit)
        assert_equal(kernels.class_nms(boxes, scores, threshold, floor, limit), expected)


@pytest.mark.compiler
def test_nms_as_many_boxes_as_the_network_equals_cpu(emulated):
    boxes, scores = random_boxes(6000, seed=1, spread=900), random_scores(6000, seed=2)
    assert torch.equal(emulated.nms(boxes, scores, 0.7, 300), ops.nms(boxes, scores, 0.7, 300))
    boxes, scores = random_boxes(600, seed=3, spread=400), random_scores(600, 21, seed=4)
    assert_equal(emulated.class_nms(boxes, scores, 0.3, 0.5, 100), ops.class_nms(boxes, scores, 0.3, 0.5, 100))
