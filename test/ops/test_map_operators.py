# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The compiled operators on maps, of the grid and of the patent, against their references."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import LAYOUTS, NAMES, arguments_of, random_maps, random_rois, stepped_maps

from fcis_ros import ops
from fcis_ros.ops import patent, reference
from fcis_ros.ops.layout import padded_classes
from fcis_ros.ops.reference import patent_averages

COMPILED = pytest.mark.parametrize("compiled", [ops, patent], ids=["grid", "patent"])
REFERENCE = {ops: reference, patent: patent_averages}


def value_and_gradient(module, name, maps, rois, arguments, bins, size):
    """An operator's result, and the gradient of the maps for a random gradient of the result."""
    maps = maps.detach().clone().requires_grad_()
    value = getattr(module, name)(maps, rois, *arguments, bins, size, 16)
    grad = torch.randn(value.shape, generator=torch.Generator().manual_seed(3))
    return value.detach(), torch.autograd.grad(value, maps, grad)[0] if value.requires_grad else torch.zeros_like(maps)


def check(compiled, name, maps, rois, classes, bins, size):
    """Compares with the reference, which gets the same maps in float32."""
    arguments = arguments_of(name, classes, len(rois), none=True)
    value, grad = value_and_gradient(compiled, name, maps, rois, arguments, bins, size)
    expected, expected_grad = value_and_gradient(REFERENCE[compiled], name, maps.float(), rois, arguments, bins, size)
    torch.testing.assert_close(value, expected, atol=5e-6, rtol=1e-5)
    tolerance = {torch.float32: 5e-5, torch.float16: 1e-2, torch.bfloat16: 3e-2}[maps.dtype]
    torch.testing.assert_close(grad.float(), expected_grad, atol=tolerance, rtol=max(tolerance, 1e-4))
    assert grad.dtype == maps.dtype and grad.stride() == maps.stride()


@LAYOUTS
@COMPILED
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("classes", "bins", "size"), [(4, 7, 21), (23, 3, 9), (1, 1, 4), (81, 2, 2)])
def test_assembly_typical_shapes_equals_reference(compiled, name, classes, bins, size, layout):
    maps = random_maps(name, classes=classes, bins=bins).to(memory_format=layout)
    check(compiled, name, maps, random_rois(), classes, bins, size)


@given(
    compiled=st.sampled_from([ops, patent]),
    name=st.sampled_from(NAMES),
    classes=st.integers(1, 40),
    partition=st.sampled_from([(1, 1), (2, 4), (3, 9), (5, 5), (7, 14)]),
    points=st.sampled_from([1, 5, 12]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    count=st.integers(0, 14),
    seed=st.integers(0, 999),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_assembly_any_shape_equals_reference(
    compiled, name, classes, partition, points, height, width, count, seed, layout, dtype
):
    bins, size = partition
    if compiled is patent:  # sums are exact, so equal sides are a case to compare; points need not be a multiple of the bins
        maps, size = stepped_maps(name, classes, bins, height, width, seed), points
    else:
        maps = random_maps(name, 2, classes, bins, height, width, seed)
    rois = random_rois(count, seed=seed, halves=compiled is patent)
    check(compiled, name, maps.to(dtype).to(memory_format=layout), rois, classes, bins, size)


@COMPILED
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_assembly_half_precision_sums_in_float32(compiled, name, dtype):
    """The same numbers as float32 give the same answer: nothing is rounded on the way."""
    maps, rois = random_maps(name).to(dtype), random_rois()
    arguments = (rois, *arguments_of(name, 4, len(rois)), 3, 9, 16)
    assert torch.equal(getattr(compiled, name)(maps, *arguments), getattr(compiled, name)(maps.float(), *arguments))


@COMPILED
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_best_class_masks_ties_and_nan_equal_reference(compiled, dtype):
    maps, rois = random_maps("mask_logits").to(dtype), random_rois()
    scores = torch.rand(len(rois), 4, generator=torch.Generator().manual_seed(4)).round(decimals=1)  # ties
    rois[8:11] = torch.tensor([0.0, 5, 5, 100, 90])
    scores[8], scores[9, 2:] = torch.nan, torch.nan
    scores[10] = torch.tensor([0.9, 0.05, 0.05, 0.0])  # the background is best
    labels = scores.nan_to_num(-1)[:, 1:].argmax(dim=1) + 1
    expected = torch.softmax(REFERENCE[compiled].mask_logits(maps.float(), rois, labels, 3, 9, 16), dim=1)[:, 1]
    for masks in (compiled, reference) if compiled is ops else (compiled,):
        torch.testing.assert_close(masks.best_class_masks(maps, rois, scores, 3, 9, 16), expected, atol=2e-6, rtol=1e-5)


def test_best_class_masks_background_only_gives_half():
    assert (
        ops.best_class_masks(random_maps("mask_logits", classes=1), random_rois(), torch.ones(40, 1), 3, 9, 16) == 0.5
    ).all()


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("classes", [1, 3, 5, 18, 81])
def test_padding_any_values_changes_nothing_and_has_no_gradient(classes, dtype, layout):
    rois, results = random_rois(), []
    for garbage in (torch.nan, torch.inf, 0.0):
        maps = random_maps("class_logits", classes=classes)
        maps[maps.isnan()] = garbage
        maps = maps.to(dtype).to(memory_format=layout).requires_grad_()
        logits = ops.class_logits(maps, rois, classes, 3, 9, 16)
        pairs = ops.mask_logits(maps, rois, torch.arange(len(rois)) % classes, 3, 9, 16)
        (grad,) = torch.autograd.grad(logits.square().sum() + pairs.square().sum(), maps)
        results.append((logits, pairs, ops.best_class_masks(maps.detach(), rois, logits.detach(), 3, 9, 16), grad))
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))
    logits, _, _, grad = results[0]
    assert logits.shape == (len(rois), classes) and logits.isfinite().all()
    by_class = grad.unflatten(1, (9, padded_classes(classes), 2))
    assert by_class[:, :, :classes].any() and not by_class[:, :, classes:].any()


@COMPILED
@LAYOUTS
@pytest.mark.parametrize("name", NAMES)
def test_assembly_any_number_of_threads_gives_the_same_bits(compiled, name, layout):
    maps, rois, results = random_maps(name, bins=7, classes=21).to(memory_format=layout), random_rois(100), []
    arguments, threads = arguments_of(name, 21, 100), torch.get_num_threads()
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            results.append(value_and_gradient(compiled, name, maps, rois, arguments, 7, 21))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))


def test_span_edges_every_extent_equals_reference():
    """All 500 500 integer extents within 0..999, bit for bit; the released kernel's golden cases check the reference."""
    low = torch.arange(1000.0).repeat_interleave(1000)
    high = torch.arange(1000.0).repeat(1000)
    low, high = low[high >= low], high[high >= low]
    edges = torch.ops.fcis_ros.span_edges(low, high, 21, 63, 16)
    start, end = reference.span_edges(low, high, 21, 63, 16)
    assert torch.equal(edges[..., 0], start) and torch.equal(edges[..., 1], end)


@pytest.mark.filterwarnings("ignore:Input #0 requires gradient")
@COMPILED
@pytest.mark.parametrize("name", NAMES)
def test_gradient_finite_differences_agree(compiled, name):
    maps = random_maps(name, images=1, classes=2, bins=2, height=4, width=5, seed=1).nan_to_num().requires_grad_()
    rois = torch.tensor([[0, 2.0, 3, 50, 60], [0, -9, 20, 200, 61]])

    def run(values):
        return getattr(compiled, name)(values, rois, *arguments_of(name, 2, 2), 2, 4, 16)

    # The maps are float32, so the finite differences are coarse.
    assert torch.autograd.gradcheck(run, maps, eps=1e-2, atol=1e-2, rtol=1e-2)
