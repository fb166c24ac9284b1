# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels on maps, of the grid and of the patent, run on the host: against the references, in any order of threads."""

from types import ModuleType

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import LAYOUTS, NAMES, arguments_of, random_maps, random_rois, shifted, stepped_maps

from fcis_ros.ops import reference
from fcis_ros.ops.reference import patent_averages

pytestmark = pytest.mark.compiler

# Few and many classes; one, three and other numbers of squares per bin; a last warp of classes that is nearly empty.
CASES = [(4, 3, 9), (21, 3, 9), (33, 2, 6), (1, 1, 4), (17, 3, 3), (18, 2, 4), (65, 1, 3)]
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])


class Grid:
    """The operators of the grid by their kernels; ``arguments`` come from ``arguments_of``: the classes or the labels."""

    reference: ModuleType = reference

    def __init__(self, emulated):
        self.run, self.order = emulated, emulated.order

    def forward(self, name, maps, rois, arguments, bins, size):
        shape = {"class_logits": arguments, "mask_logits": (2, size, size), "box_deltas": (4,)}[name]
        result = torch.full((len(rois), *shape), 7.0)
        self.run(f"fcis::cuda::{name}", *self.run.describe(maps, rois, bins, size), *arguments, result, None)
        return result

    def backward(self, name, grad, maps, rois, arguments, bins, size):
        described, result = self.run.describe(maps, rois, bins, size), like(maps)
        workspace = self.run.workspace(name, *described)
        self.run(f"fcis::cuda::{name}_backward", grad, *described, *arguments, workspace, result, None)
        return result

    def both(self, name, maps, rois, arguments, bins, size):
        """The value, and the gradient of its sum."""
        value = self.forward(name, maps, rois, arguments, bins, size)
        return value, self.backward(name, torch.ones_like(value), maps, rois, arguments, bins, size)


class Patent(Grid):
    """The operators of the patent."""

    reference = patent_averages

    def forward(self, name, maps, rois, arguments, bins, size):
        described = self.run.describe(maps, rois, bins, size)
        if name == "mask_logits":
            result = torch.full((len(rois), 2, size, size), 7.0)
            self.run("fcis::cuda::patent_masks", *described, *arguments, result, None)
            return result
        (groups,) = arguments or (4,)
        result, space = torch.full((len(rois), groups), 7.0), self.run.workspace("patent_means", *described, groups)
        self.run("fcis::cuda::patent_means", *described, name == "class_logits", groups, space, result, None)
        return result

    def backward(self, name, grad, maps, rois, arguments, bins, size):
        described, result = self.run.describe(maps, rois, bins, size), like(maps)
        function = "patent_masks_backward" if name == "mask_logits" else "patent_means_backward"
        numbers = arguments if name == "mask_logits" else (name == "class_logits", grad.shape[1])
        space = self.run.workspace(function, *described)
        self.run(f"fcis::cuda::{function}", grad, *described, *numbers, space, result, None)
        return result


def like(maps: torch.Tensor) -> torch.Tensor:
    """Garbage for a gradient, which lies as the maps do."""
    result = torch.full_like(maps, 7.0)
    return shifted(result) if maps.storage_offset() else result


@pytest.fixture(scope="module")
def grid(emulate):
    return Grid(emulate("spans.cu", "class_logits.cu", "mask_logits.cu", "best_class_masks.cu", "box_deltas.cu"))


@pytest.fixture(scope="module")
def patent(emulate):
    return Patent(emulate("patent_covers.cu", "patent_means.cu", "patent_masks.cu"))


@pytest.fixture(params=["grid", "patent"])
def assembly(request):
    return request.getfixturevalue(request.param)


def rois_of_all_sizes(count=25, images=2) -> torch.Tensor:
    """With the whole map among them, one within a cell, and one around everything."""
    rois = random_rois(count, images)
    rois[8:11] = torch.tensor([[0.0, 0, 0, 143, 111], [1, 40, 40, 41, 41], [1, -500, -500, 900, 900]])[: max(0, count - 8)]
    return rois


def check(assembly, name, maps, rois, classes, bins, size):
    """Compares value and gradient with the reference, which gets the same maps in float32."""
    arguments = arguments_of(name, classes, len(rois), none=True)
    wide = maps.detach().float().requires_grad_()
    expected = getattr(assembly.reference, name)(wide, rois, *arguments, bins, size, 16)
    value = assembly.forward(name, maps, rois, arguments, bins, size)
    torch.testing.assert_close(value, expected.detach(), atol=5e-6, rtol=1e-5)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3))
    wanted = torch.autograd.grad(expected, wide, grad)[0] if expected.requires_grad else torch.zeros_like(wide)
    tolerance = {torch.float32: 5e-5, torch.float16: 1e-2, torch.bfloat16: 3e-2}[maps.dtype]
    maps_grad = assembly.backward(name, grad, maps, rois, arguments, bins, size)
    torch.testing.assert_close(maps_grad.float(), wanted, atol=tolerance, rtol=max(tolerance, 1e-4))


@LAYOUTS
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("classes", "bins", "size"), CASES)
def test_grid_kernels_typical_shapes_equal_reference(grid, name, classes, bins, size, layout):
    maps = random_maps(name, classes=classes, bins=bins).to(memory_format=layout)
    check(grid, name, maps, rois_of_all_sizes(), classes, bins, size)


@LAYOUTS
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("classes", "bins", "size"), [(4, 7, 21), (33, 2, 6), (1, 1, 4), (81, 3, 5)])
def test_patent_kernels_typical_shapes_equal_reference(patent, name, classes, bins, size, layout):
    maps = stepped_maps(name, classes, bins).to(memory_format=layout)
    check(patent, name, maps, random_rois(20, halves=True), classes, bins, size)


@LAYOUTS
@DTYPES
@pytest.mark.parametrize(("classes", "bins", "size"), [*CASES, (81, 7, 21)])
def test_best_class_masks_ties_and_nan_equal_reference(grid, classes, bins, size, dtype, layout):
    maps = random_maps("mask_logits", classes=classes, bins=bins).to(dtype).to(memory_format=layout)
    rois = rois_of_all_sizes()
    scores = torch.rand(len(rois), classes, generator=torch.Generator().manual_seed(4)).round(decimals=1)  # ties
    scores[8], scores[9, classes // 2 :], scores[10] = torch.nan, torch.nan, -1.0
    masks = torch.full((len(rois), size, size), 7.0)
    grid.run("fcis::cuda::best_class_masks", *grid.run.describe(maps, rois, bins, size), scores, classes, masks, None)
    if classes > 1:
        expected = reference.best_class_masks(maps.float(), rois, scores, bins, size, 16)
    else:  # there is only background
        expected = torch.full_like(masks, 0.5)
    torch.testing.assert_close(masks, expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("shape", [(40, 5), (5, 40), (1, 1), (12, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_grid_kernels_patches_of_any_height_equal_reference(grid, name, shape):
    """Taller than a thread of logits_by_bin sums at a time, and next to nothing."""
    maps = random_maps(name, 1, 17, 2, *shape).to(memory_format=torch.channels_last)
    whole = [0.0, 0, 0, 16 * shape[1], 16 * shape[0]]
    rois = torch.tensor([whole, [0, 3, 30, 60, 290], [0, 20, 100, 500, 340], [0, 0, 17, 9, 500]])
    check(grid, name, maps, rois, 17, 2, 6)


@LAYOUTS
@pytest.mark.parametrize("name", NAMES)
def test_grid_kernels_released_partition_equal_reference(grid, name, layout):
    maps = random_maps(name, 1, 17, 7, 5, 6).to(memory_format=layout)
    check(grid, name, maps, rois_of_all_sizes(14, images=1), 17, 7, 21)


@pytest.mark.parametrize("name", NAMES)
def test_kernels_no_rois_equal_reference(assembly, name):
    check(assembly, name, random_maps(name).to(memory_format=torch.channels_last), random_rois(0), 4, 3, 9)


@given(
    name=st.sampled_from(NAMES),
    classes=st.integers(1, 40),
    bins=st.integers(1, 4),
    size=st.sampled_from([1, 5, 12]),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    count=st.integers(0, 9),
    seed=st.integers(0, 999),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_patent_kernels_any_shape_equal_reference(patent, name, classes, bins, size, height, width, count, seed, layout, dtype):
    maps = stepped_maps(name, classes, bins, height, width, seed).to(dtype).to(memory_format=layout)
    check(patent, name, maps, random_rois(count, seed=seed, halves=True), classes, bins, size)


@LAYOUTS
@pytest.mark.parametrize("classes", [4, 20])
def test_class_logits_equal_sides_give_gradient_to_outside_as_on_cpu(grid, classes, layout):
    maps = random_maps("class_logits", classes=classes).mul(2).round().to(memory_format=layout)
    rois, grad = rois_of_all_sizes(), torch.randn(25, classes, generator=torch.Generator().manual_seed(1))
    maps_grad = grid.backward("class_logits", grad, maps, rois, (classes,), 3, 9)
    expected = torch.ops.fcis_ros.class_logits_backward(grad, maps, rois, 3, 9, 16)
    torch.testing.assert_close(maps_grad, expected, atol=1e-6, rtol=1e-5)


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_kernels_half_precision_sum_in_float32(assembly, name, dtype, layout):
    maps, rois = random_maps(name, classes=17).to(dtype).contiguous(memory_format=layout), rois_of_all_sizes()
    arguments = arguments_of(name, 17, len(rois), none=True)
    value, grad = assembly.both(name, maps, rois, arguments, 3, 9)
    wide_value, wide_grad = assembly.both(name, maps.float(), rois, arguments, 3, 9)
    assert torch.equal(value, wide_value) and torch.equal(grad, wide_grad.to(dtype))


@DTYPES
@pytest.mark.parametrize("name", NAMES[:2])
@pytest.mark.parametrize("classes", [4, 20])
def test_kernels_unaligned_maps_equal_aligned(assembly, name, classes, dtype):
    """Pairs in two loads and stores instead of one."""
    maps, rois = random_maps(name, classes=classes).to(dtype).to(memory_format=torch.channels_last), rois_of_all_sizes()
    arguments, behind = arguments_of(name, classes, len(rois), none=True), shifted(maps)
    assert behind.data_ptr() % (2 * maps.element_size()) and not maps.data_ptr() % (2 * maps.element_size())
    value, grad = assembly.both(name, maps, rois, arguments, 3, 9)
    value_behind, grad_behind = assembly.both(name, behind, rois, arguments, 3, 9)
    torch.testing.assert_close(value_behind, value, atol=5e-6, rtol=1e-5)
    assert torch.equal(grad_behind, grad)


@pytest.mark.parametrize("order", [1, 7], ids=["descending", "shuffled"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [4, 20])
def test_kernels_any_order_of_threads_gives_the_same_bits(assembly, name, classes, order):
    maps, rois = random_maps(name, classes=classes).to(memory_format=torch.channels_last), rois_of_all_sizes()
    arguments, results = arguments_of(name, classes, len(rois), none=True), []
    try:
        for seed in (0, order):
            assembly.order(seed)
            results.append(assembly.both(name, maps, rois, arguments, 3, 9))
    finally:
        assembly.order(0)
    assert all(map(torch.equal, *results))


@pytest.mark.parametrize("name", NAMES)
def test_patent_kernels_small_maps_stay_inside_arrays(patent, name):
    for count, shape in [(0, (2, 3)), (9, (1, 1)), (12, (5, 2))]:
        check(patent, name, stepped_maps(name, 5, 2, *shape), random_rois(count, halves=True), 5, 2, 5)


@pytest.mark.slow
def test_kernels_under_sanitizer_stay_inside_arrays(sanitized):
    sanitized(__file__, "any_height or no_rois or small_maps or (best_class and float16 and nchw and 4-3-9)")
