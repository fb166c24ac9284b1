# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels that assemble, run on the host: against the slow reference and its gradients, in any order of threads."""

import operator_inputs
import pytest
import torch
from operator_inputs import arguments_of, random_maps, shifted

from fcis_ros.ops import reference

pytestmark = pytest.mark.compiler

LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["nchw", "channels_last"])
NAMES = ("class_logits", "mask_logits", "box_deltas")
# Few and many classes; one, three and other numbers of squares per bin; a last warp of classes that is nearly empty.
CASES = [(4, 3, 9), (21, 3, 9), (33, 2, 6), (1, 1, 4), (17, 3, 3), (18, 2, 4), (65, 1, 3)]


@pytest.fixture(scope="module")
def assembling(emulate):
    return emulate("spans.cu", "class_logits.cu", "mask_logits.cu", "best_class_masks.cu", "box_deltas.cu")


def random_rois(count=25, images=2, seed=0) -> torch.Tensor:
    """With the whole map among them, one within a cell, and one around everything."""
    rois = operator_inputs.random_rois(count, images, seed)
    rois[7:10] = torch.tensor([[0.0, 0, 0, 143, 111], [1, 40, 40, 41, 41], [1, -500, -500, 900, 900]])[: max(0, count - 7)]
    return rois


def forward(assembling, name, maps, rois, own, bins, size):
    """``own``: the classes or the labels, as ``arguments_of`` gives them."""
    shape = {"class_logits": own, "mask_logits": (2, size, size), "box_deltas": (4,)}[name]
    result = torch.full((len(rois), *shape), 7.0)
    assembling(f"fcis::cuda::{name}", *assembling.describe(maps, rois, bins, size), *own, result, None)
    return result


def backward(assembling, name, grad, maps, rois, own, bins, size):
    described = assembling.describe(maps, rois, bins, size)
    workspace = assembling.workspace(name, *described)
    result = torch.full_like(maps, 7.0)
    result = shifted(result) if maps.storage_offset() else result
    assembling(f"fcis::cuda::{name}_backward", grad, *described, *own, workspace, result, None)
    return result


def check(assembling, name, maps, rois, classes, bins, size):
    arguments = arguments_of(name, classes, len(rois), none=True)
    own = maps.detach().clone().requires_grad_()
    expected = getattr(reference, name)(own, rois, *arguments, bins, size, 16)
    found = forward(assembling, name, maps, rois, arguments, bins, size)
    torch.testing.assert_close(found, expected.detach(), atol=5e-6, rtol=1e-5)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3))
    wanted = torch.autograd.grad(expected, own, grad)[0] if expected.requires_grad else torch.zeros_like(maps)
    found = backward(assembling, name, grad, maps, rois, arguments, bins, size)
    torch.testing.assert_close(found, wanted, atol=5e-5, rtol=1e-4)


@LAYOUTS
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("classes", "bins", "size"), CASES)
def test_assembling_and_its_gradient(assembling, name, classes, bins, size, layout):
    maps = random_maps(name, classes=classes, bins=bins).to(memory_format=layout)
    check(assembling, name, maps, random_rois(), classes, bins, size)


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("classes", "bins", "size"), [*CASES, (81, 7, 21)])
def test_best_class_masks(assembling, classes, bins, size, dtype, layout):
    maps, rois = random_maps("mask_logits", classes=classes, bins=bins).to(dtype).to(memory_format=layout), random_rois()
    scores = torch.rand(len(rois), classes, generator=torch.Generator().manual_seed(4)).round(decimals=1)  # ties
    scores[3], scores[4, classes // 2 :], scores[5] = torch.nan, torch.nan, -1.0
    found = torch.full((len(rois), size, size), 7.0)
    assembling("fcis::cuda::best_class_masks", *assembling.describe(maps, rois, bins, size), scores, classes, found, None)
    if classes > 1:
        expected = reference.best_class_masks(maps.float(), rois, scores, bins, size, 16)
    else:  # there is nothing but background
        expected = torch.full_like(found, 0.5)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("shape", [(40, 5), (5, 40), (1, 1), (12, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_patches_of_any_height(assembling, name, shape):
    """Taller than a thread of logits_by_bin sums at a time, and next to nothing."""
    maps = random_maps(name, 1, 17, 2, *shape).to(memory_format=torch.channels_last)
    whole = [0.0, 0, 0, 16 * shape[1], 16 * shape[0]]
    rois = torch.tensor([whole, [0, 3, 30, 60, 290], [0, 20, 100, 500, 340], [0, 0, 17, 9, 500]])
    check(assembling, name, maps, rois, 17, 2, 6)


@LAYOUTS
@pytest.mark.parametrize("name", NAMES)
def test_released_partition(assembling, name, layout):
    maps = random_maps(name, 1, 17, 7, 5, 6).to(memory_format=layout)
    check(assembling, name, maps, random_rois(14, images=1), 17, 7, 21)


@pytest.mark.parametrize("name", NAMES)
def test_no_rois(assembling, name):
    check(assembling, name, random_maps(name).to(memory_format=torch.channels_last), random_rois(0), 4, 3, 9)


@LAYOUTS
@pytest.mark.parametrize("classes", [4, 20])
def test_ties_go_to_the_outside_as_on_the_cpu(assembling, classes, layout):
    maps = random_maps("class_logits", classes=classes).mul(2).round().to(memory_format=layout)
    rois, grad = random_rois(), torch.randn(25, classes, generator=torch.Generator().manual_seed(1))
    found = backward(assembling, "class_logits", grad, maps, rois, (classes,), 3, 9)
    expected = torch.ops.fcis_ros.class_logits_backward(grad, maps, rois, 3, 9, 16)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_maps_are_summed_in_float32(assembling, name, dtype, layout):
    maps, rois = random_maps(name, classes=17).to(dtype).contiguous(memory_format=layout), random_rois()
    own = arguments_of(name, 17, len(rois), none=True)
    value = forward(assembling, name, maps, rois, own, 3, 9)
    assert torch.equal(value, forward(assembling, name, maps.float(), rois, own, 3, 9))
    grad = torch.randn(value.shape, generator=torch.Generator().manual_seed(2))
    wide = backward(assembling, name, grad, maps.float(), rois, own, 3, 9)
    assert torch.equal(backward(assembling, name, grad, maps, rois, own, 3, 9), wide.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize("classes", [4, 20])
def test_maps_that_are_not_aligned(assembling, name, classes, dtype):
    """Pairs in two loads and stores instead of one."""
    maps, rois = random_maps(name, classes=classes).to(dtype).to(memory_format=torch.channels_last), random_rois()
    own, behind = arguments_of(name, classes, len(rois), none=True), shifted(maps)
    assert behind.data_ptr() % (2 * maps.element_size()) and not maps.data_ptr() % (2 * maps.element_size())
    value = forward(assembling, name, maps, rois, own, 3, 9)
    torch.testing.assert_close(forward(assembling, name, behind, rois, own, 3, 9), value, atol=5e-6, rtol=1e-5)
    grad = backward(assembling, name, torch.ones_like(value), maps, rois, own, 3, 9)
    assert torch.equal(backward(assembling, name, torch.ones_like(value), behind, rois, own, 3, 9), grad)


@pytest.mark.parametrize("order", [1, 7], ids=["descending", "shuffled"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [4, 20])
def test_results_do_not_depend_on_the_order_of_threads(assembling, name, classes, order):
    maps, rois = random_maps(name, classes=classes).to(memory_format=torch.channels_last), random_rois()
    own, results = arguments_of(name, classes, len(rois), none=True), []
    try:
        for seed in (0, order):
            assembling.order(seed)
            value = forward(assembling, name, maps, rois, own, 3, 9)
            results.append((value, backward(assembling, name, torch.ones_like(value), maps, rois, own, 3, 9)))
    finally:
        assembling.order(0)
    assert all(map(torch.equal, *results))


@pytest.mark.slow
def test_with_address_sanitizer(sanitized):
    sanitized(__file__, "any_height or no_rois or (winner and float16 and nchw)")
