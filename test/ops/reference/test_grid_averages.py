# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The definition of assembly against loops over pixels and the golden spans of the released code."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from golden_spans import GOLDEN
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros import ops
from fcis_ros.ops import reference


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


def test_span_edges_every_extent_equals_compiled():
    """All 500 500 integer extents within 0..999, by box maps that hold the number of their column: means tell the edges."""
    low, high = torch.cartesian_prod(torch.arange(1000.0), torch.arange(1000.0)).T
    low, high = low[high >= low], high[high >= low]
    maps = torch.arange(63.0).expand(1, 4, 1, 63).contiguous()
    zero = torch.zeros_like(low)
    deltas = ops.box_deltas(maps, torch.stack([zero, low, zero, high, zero + 15], dim=1), 1, 21, 16)
    begin, end = reference.span_edges(low, high, 21, 63, 16)
    mean = torch.where(end > begin, (begin + end - 1) / 2, 0.0).double().mean(dim=1)
    torch.testing.assert_close(deltas[:, 0].double(), mean, atol=2e-4, rtol=0)
