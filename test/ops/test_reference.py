# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The operators against loops over pixels, the golden spans of the released code, and cases worked by hand."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from golden_spans import GOLDEN
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.ops import reference
from fcis_ros.ops.reference.mask_voting import sample


@pytest.mark.parametrize("extent", GOLDEN)
def test_span_edges_golden_extents_equal_released_kernel(extent):
    start, end = reference.span_edges(torch.tensor([float(extent[0])]), torch.tensor([float(extent[1])]), 21, 63, 16)
    assert start[0].tolist() == list(GOLDEN[extent][0])
    assert end[0].tolist() == list(GOLDEN[extent][1])


NOT_EXACT = [(0, 95), (0, 175), (0, 191), (0, 351), (0, 383), (0, 703), (0, 743), (288, 991), (309, 991)]


@pytest.mark.parametrize("extent", NOT_EXACT)
def test_span_edges_inexact_extents_are_float32(extent):
    """On these extents float32 and exact arithmetic differ; NumPy's float32 is the independent witness."""
    start, end = reference.span_edges(torch.tensor([float(extent[0])]), torch.tensor([float(extent[1])]), 21, 63, 16)
    low = np.float32(extent[0]) * np.float32(0.0625)
    side = (np.float32(extent[1] + 1) * np.float32(0.0625) - low) / np.float32(21)
    for p in range(21):
        assert start[0, p] == min(max(math.floor(np.float32(p) * side + low), 0), 63)
        assert end[0, p] == min(max(math.ceil(np.float32(p + 1) * side + low), 0), 63)
    side, low = Fraction(extent[1] + 1 - extent[0], 16 * 21), Fraction(extent[0], 16)
    exact_start = [min(math.floor(p * side + low), 63) for p in range(21)]
    exact_end = [min(math.ceil((p + 1) * side + low), 63) for p in range(21)]
    assert (start[0].tolist(), end[0].tolist()) != (exact_start, exact_end)


def test_span_edges_halves_round_away_from_zero():
    low = torch.tensor([0.5, -0.5, 1.5, 2.5, 0.49999997])
    start, _ = reference.span_edges(low * 1.0, low + 400, 1, 1000, 1)
    assert start[:, 0].tolist() == [1, 0, 2, 3, 0]  # -1 is clipped to 0


def assemble_by_loops(maps, rois, bins, size, stride):
    """Pixel by pixel in NumPy, float32 edges and float64 sums: shares nothing with the operator but the definition."""
    _, channels, height, width = maps.shape
    groups = channels // bins**2
    out = np.zeros((len(rois), groups, size, size))
    scale = np.float32(1 / stride)

    def away(v):
        return np.float32(math.copysign(math.floor(abs(float(v)) + 0.5), v))

    for r, (image, x1, y1, x2, y2) in enumerate(rois):
        left, top = away(x1) * scale, away(y1) * scale
        right, bottom = (away(x2) + np.float32(1)) * scale, (away(y2) + np.float32(1)) * scale
        bin_w = max(right - left, np.float32(0.1)) / np.float32(size)
        bin_h = max(bottom - top, np.float32(0.1)) / np.float32(size)
        for i in range(size):
            ya = min(max(math.floor(np.float32(i) * bin_h + top), 0), height)
            yb = min(max(math.ceil(np.float32(i + 1) * bin_h + top), 0), height)
            for j in range(size):
                xa = min(max(math.floor(np.float32(j) * bin_w + left), 0), width)
                xb = min(max(math.ceil(np.float32(j + 1) * bin_w + left), 0), width)
                if yb <= ya or xb <= xa:
                    continue
                for g in range(groups):
                    channel = (i * bins // size * bins + j * bins // size) * groups + g
                    out[r, g, i, j] = maps[int(image), channel, ya:yb, xa:xb].astype(np.float64).mean()
    return out


ROIS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.floats(-60, 200, width=32),
        st.floats(-60, 160, width=32),
        st.floats(-5, 150, width=32),
        st.floats(-5, 150, width=32),
    ),
    max_size=5,
)


@given(rois=ROIS, bins_size=st.sampled_from([(1, 1), (2, 4), (3, 9), (7, 21)]), seed=st.integers(0, 99))
def test_psroi_assemble_any_rois_equals_loops(rois, bins_size, seed):
    """ROIs inside, on, past and wholly outside the border, turned inside out, in two images, and none at all."""
    bins, size = bins_size
    maps = np.random.default_rng(seed).normal(size=(2, 2 * bins * bins, 7, 9)).astype(np.float32)
    boxes = np.array([(n, x, y, x + w, y + h) for n, x, y, w, h in rois], dtype=np.float32).reshape(-1, 5)
    result = reference.psroi_assemble(torch.from_numpy(maps), torch.from_numpy(boxes), bins, size, 16)
    np.testing.assert_allclose(result.numpy(), assemble_by_loops(maps, boxes, bins, size, 16), atol=1e-5)


def test_class_logits_one_cell_is_larger_side():
    """k = 1, one feature cell: the logit is max(outside, inside) of each class."""
    maps = torch.tensor([1.0, 2.0, 5.0, -1.0, *[torch.nan] * 4]).reshape(1, 8, 1, 1)  # outside, inside of both classes, padding
    rois = torch.tensor([[0.0, 0, 0, 15, 15]])
    assert reference.class_logits(maps, rois, 2, 1, 1, 16).tolist() == [[2, 5]]


def test_class_logits_two_cells_average_before_maximum():
    """The max of means, not the mean of maxima: two cells in one square cancel."""
    maps = torch.zeros(1, 8, 1, 2)
    maps[0, 1, 0] = torch.tensor([4.0, -4.0])  # inside of class 0
    rois = torch.tensor([[0.0, 0, 0, 31, 15]])
    assert reference.class_logits(maps, rois, 2, 1, 1, 16)[0, 0] == 0


def test_class_logits_no_rois_give_empty_result():
    assert reference.class_logits(torch.zeros(1, 8, 2, 2), torch.zeros(0, 5), 3, 1, 1, 16).shape == (0, 3)


def test_class_logits_tie_gives_gradient_to_outside():
    maps = torch.ones(1, 8, 1, 1, requires_grad=True)
    reference.class_logits(maps, torch.tensor([[0.0, 0, 0, 15, 15]]), 1, 1, 1, 16).sum().backward()
    assert maps.grad.flatten().tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


def test_mask_logits_random_maps_are_slices_of_all_classes():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 9 * 4 * 2, 6, 8, generator=generator)
    rois = torch.tensor([[0, 3.0, 2, 90, 70], [1, 40, 40, 120, 90], [0, 0, 0, 15, 15], [1, -20, 8, 60, 200]])
    labels = torch.tensor([2, 0, 1, 2])
    whole = reference.psroi_assemble(maps, rois, 3, 9, 16).reshape(4, 4, 2, 9, 9)
    pairs = reference.mask_logits(maps, rois, labels, 3, 9, 16)
    assert torch.allclose(pairs, whole[torch.arange(4), labels])


def test_box_deltas_counting_maps_are_mean_over_bins():
    maps = torch.arange(4 * 4, dtype=torch.float32).reshape(1, 16, 1, 1).expand(1, 16, 2, 2).contiguous()
    deltas = reference.box_deltas(maps, torch.tensor([[0.0, 0, 0, 31, 31]]), 2, 4, 16)
    assert deltas.tolist() == [[6, 7, 8, 9]]  # channels 0, 4, 8 and 12 are the bins of dx


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


@given(
    st.lists(
        st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(0, 30)] * 2, st.sampled_from([0.1, 0.5, 0.5, 0.9])), max_size=20
    ),
    st.sampled_from([0.3, 0.5, 0.7]),
)
def test_nms_random_boxes_equal_definition(rows, threshold):
    boxes = [(x, y, x + w, y + h) for x, y, w, h, _ in rows]
    scores = [row[4] for row in rows]
    kept = reference.nms(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), torch.tensor(scores), threshold, 100).tolist()
    expected = nms_by_definition(boxes, scores, threshold)
    assert kept == expected + [-1] * (100 - len(expected))


def test_nms_iou_at_threshold_keeps_both():
    # 10x10 boxes that share 5x10: IoU 50/150, kept at 1/3 (only above is suppressed), dropped just below it.
    boxes = torch.tensor([[0.0, 0, 9, 9], [5, 0, 14, 9]])
    scores = torch.tensor([0.9, 0.8])
    assert reference.nms(boxes, scores, 50 / 150, 3).tolist() == [0, 1, -1]
    assert reference.nms(boxes, scores, 0.333, 2).tolist() == [0, -1]


def test_class_nms_three_boxes_match_hand_calculation():
    # Boxes 0 and 1 are nearly the same. Class 1 keeps 0 and 2, class 2 keeps 1 (0 is below the floor) and 2.
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29]])
    scores = torch.tensor([[0.0, 0.9, 0.05], [0.0, 0.8, 0.5], [0.0, 0.3, 0.5]])
    rois, labels = reference.class_nms(boxes, scores, 0.3, 0.1, 6)
    assert rois.tolist() == [0, 1, 2, 2, -1, -1] and labels.tolist() == [1, 2, 2, 1, -1, -1]
    assert reference.class_nms(boxes, scores, 0.3, 0.1, 2)[0].tolist() == [0, 1]


def test_decode_anchors_two_cells_match_hand_calculation():
    """Two cells of one anchor, 8x8 pixels: the first stays, the second moves a quarter to the right and doubles its height."""
    deltas = torch.zeros(4, 1, 2)
    deltas[0, 0, 1], deltas[3, 0, 1] = 0.25, math.log(2)
    logits = torch.tensor([[[0.0, 0.0]], [[0.0, math.log(3)]]])
    boxes, scores = reference.decode_anchors(logits, deltas, torch.tensor([[4.0, 4, 11, 11]]), 16, 20, 40, 1.0)
    # Centres (7.5, 7.5) and (23.5, 7.5); the second becomes (25.5, 7.5), 8 wide and 16 high.
    assert boxes.tolist() == [[4, 4, 11, 11], [22, 0, 29, 15]]
    assert scores.tolist() == [0.5, 0.75]
    _, scores = reference.decode_anchors(logits, deltas, torch.tensor([[4.0, 4, 11, 11]]), 16, 20, 28, 7.0)
    assert scores.tolist() == [0.5, -math.inf]  # 6 pixels are left of its width


def test_decode_rois_one_roi_matches_hand_calculation():
    rois, deltas = torch.tensor([[1.0, 4, 4, 11, 11]]), torch.tensor([[5.0, -5.0, 0, 0]])
    # 5 * 0.1 sides of 8 pixels to the right and up, where the image ends.
    assert reference.decode_rois(rois, deltas, (0.1, 0.1, 0.2, 0.2), 20, 14).tolist() == [[1, 8, 0, 13, 7]]


def test_rois_to_image_four_rois_match_hand_calculation():
    rois = torch.tensor([[0.0, 2, 13, 13], [0, 0, 3, 9], [0, 0, torch.nan, 9], [0, 0, 9, 9]])
    scores = torch.tensor([[0.5, 0.5]] * 3 + [[0.5, torch.inf]])
    boxes, pixels, finite = reference.rois_to_image(rois, scores, 2.0, 5.0, 9, 6)
    assert boxes[0].tolist() == [0, 1, 5, 6.5] and pixels[0].tolist() == [0, 1, 5, 6]  # half to even
    assert boxes[1:].isnan().all() and not pixels[1:].any()
    assert finite.tolist() == [True, True, False, False]  # the second is only too narrow


def test_vote_weights_three_rois_match_hand_calculation():
    boxes = torch.tensor([[0.0, 0, 3, 3], [0, 0, 3, 2], [9, 9, 12, 12]])
    scores = torch.tensor([[0.1, 0.6], [0.6, 0.2], [0.1, 0.9]])
    voters, weights, best = reference.vote_weights(boxes, scores, torch.tensor([0, 2, -1]), torch.tensor([1, 1, -1]), 0.75)
    assert voters.tolist() == [[0, 1, -1], [-1, -1, 2], [-1, -1, -1]]  # the IoU of the first two is 12/16
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.25, 0], [0, 0, 1], [0, 0, 0]]))
    torch.testing.assert_close(best, torch.tensor([0.6, 0.9, 0]))


def votes(boxes, masks, weights, threshold=0.4, binarise_first=True, resample=0):
    """One winner for whom every box votes with the mask of its number."""
    index = torch.arange(len(boxes), dtype=torch.int32)[None]
    box, runs, ends = reference.vote_masks(
        torch.tensor(boxes, dtype=torch.int32), torch.tensor(masks), index, torch.tensor([weights]), 4, 4, threshold,
        binarise_first, resample,
    )  # fmt: skip
    assert ends.tolist() == [len(runs)]
    return box[0].tolist(), runs.tolist()


def test_vote_masks_two_voters_match_hand_calculation():
    """Two 2x1 boxes that share a column: weights 0.75 and 0.25, everything above the threshold counts fully."""
    pair = ([[0, 0, 1, 0], [1, 0, 2, 0]], [[[0.9]], [[0.5]]], [0.75, 0.25])
    assert votes(*pair) == ([0, 0, 2, 1], [0, 2])  # votes 0.75, 1, 0.25
    assert votes(*pair, threshold=0.45) == ([0, 0, 2, 1], [0, 2])
    assert votes(*pair, threshold=0.7, binarise_first=False) == ([1, 0, 2, 1], [0, 1])  # 0.675, 0.8, 0.125
    assert votes(*pair, threshold=0.9, binarise_first=False) == ([0, 0, 0, 0], [])
    assert votes(*pair, resample=21) == ([0, 0, 0, 0], [])  # one pixel high


def test_vote_masks_box_outside_image_is_refused():
    with pytest.raises(ValueError, match="not inside the 4x4 image"):
        votes([[0, 0, 4, 0]], [[[1.0]]], [1.0])


def test_sample_past_image_edge_repeats_edge():
    votes = np.array([[1, 0], [1, 0]], np.float32)
    at_edge = sample(votes, (0, 0), np.array([0, 0, 1, 1]), 4, 2, 9)  # middles at -0.25, 0.25, 0.75, 1.25
    assert at_edge[0].tolist() == [1, 0.75, 0.25, 0]
    inside = sample(votes, (3, 3), np.array([3, 3, 4, 4]), 4, 9, 9)  # there are no votes left of the map
    assert inside[1].tolist() == [0.75, 0.75, 0.25, 0]
