# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The compiled operators on maps against the slow reference: values, gradients, layouts, dtypes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import arguments_of, random_maps, random_rois

from fcis_ros import ops
from fcis_ros.ops import reference
from fcis_ros.ops.layout import padded_classes

CHANNELS_LAST = torch.channels_last
LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, CHANNELS_LAST], ids=["nchw", "channels_last"])
ASSEMBLING = ("class_logits", "mask_logits", "box_deltas")


def both(name, maps, rois, bins, size, classes=4):
    """The operator's and the reference's answer and gradient of the maps."""
    results = []
    for function in (getattr(ops, name), getattr(reference, name)):
        own = maps.detach().clone().requires_grad_()
        value = function(own, rois, *arguments_of(name, classes, len(rois)), bins, size, 16)
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
    arguments = (rois, *arguments_of(name, 4, len(rois)), 3, 9, 16)
    assert torch.equal(getattr(ops, name)(maps, *arguments), getattr(ops, name)(maps.float(), *arguments))
    own = maps.clone().requires_grad_()
    getattr(ops, name)(own, *arguments).sum().backward()
    assert own.grad.dtype == dtype and own.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_best_class_masks(dtype):
    maps, rois = random_maps("mask_logits").to(dtype), random_rois()
    scores = torch.rand(len(rois), 4, generator=torch.Generator().manual_seed(4)).round(decimals=1)  # ties
    scores[3], scores[4, 2:] = torch.nan, torch.nan
    expected = reference.best_class_masks(maps, rois, scores, 3, 9, 16)
    torch.testing.assert_close(ops.best_class_masks(maps, rois, scores, 3, 9, 16), expected, atol=2e-6, rtol=1e-5)
    assert (ops.best_class_masks(random_maps("mask_logits", classes=1), rois, scores[:, :1], 3, 9, 16) == 0.5).all()


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("classes", [1, 3, 5, 18, 81])
def test_the_padding_changes_nothing_and_has_no_gradient(classes, dtype, layout):
    """NaN, infinity and zero in it give the same bits."""
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
        return getattr(ops, name)(values, rois, *arguments_of(name, 2, 2), 2, 4, 16)

    # The operators accumulate in float32, so the finite differences are coarse.
    assert torch.autograd.gradcheck(run, maps, eps=1e-2, atol=1e-2, rtol=1e-2)
