# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Assembly by hand, and every kernel of the grid and of the patent against the reference."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import LAYOUTS, NAMES, arguments_of, random_maps, random_rois, shifted, stepped_maps

from fcis_ros import ops
from fcis_ros.ops import patent, reference
from fcis_ros.ops.reference import patent_averages

OPERATORS = [prefix + name for prefix in ("", "patent_") for name in NAMES]
EACH_OPERATOR = pytest.mark.parametrize("operator", OPERATORS)
BOTH = pytest.mark.parametrize("module", [reference, ops], ids=["reference", "compiled"])
CELL = torch.tensor([[0.0, 0, 0, 15, 15]])
HALF_TOLERANCE = {torch.float32: 5e-5, torch.float16: 1e-2, torch.bfloat16: 3e-2}
# Few and many classes; one, three and other numbers of squares per bin; a last warp of classes that is nearly empty.
CASES = [(4, 3, 9), (21, 3, 9), (33, 2, 6), (1, 1, 4), (17, 3, 3), (65, 1, 3), (17, 7, 21), (81, 2, 2)]


@BOTH
def test_class_logits_one_cell_is_larger_side(module):
    """k = 1, one feature cell: the logit is max(outside, inside) of each class."""
    maps = torch.tensor([1.0, 2.0, 5.0, -1.0, *[torch.nan] * 4]).reshape(1, 8, 1, 1)  # outside, inside of both classes, padding
    assert module.class_logits(maps, CELL, 2, 1, 1, 16).tolist() == [[2, 5]]
    assert module.class_logits(maps, CELL[:0], 3, 1, 1, 16).shape == (0, 3)


@BOTH
def test_class_logits_two_cells_average_before_maximum(module):
    """The max of means, not the mean of maxima: two cells in one square cancel."""
    maps = torch.zeros(1, 8, 1, 2)
    maps[0, 1, 0] = torch.tensor([4.0, -4.0])  # inside of class 0
    assert module.class_logits(maps, torch.tensor([[0.0, 0, 0, 31, 15]]), 2, 1, 1, 16)[0, 0] == 0


@BOTH
def test_class_logits_tie_gives_gradient_to_outside(module):
    maps = torch.ones(1, 8, 1, 1, requires_grad=True)
    module.class_logits(maps, CELL, 1, 1, 1, 16).sum().backward()
    assert maps.grad.flatten().tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


@BOTH
def test_mask_logits_random_maps_are_slices_of_all_classes(module):
    maps = torch.randn(2, 9 * 4 * 2, 6, 8, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0, 3.0, 2, 90, 70], [1, 40, 40, 120, 90], [0, 0, 0, 15, 15], [1, -20, 8, 60, 200]])
    labels = torch.tensor([2, 0, 1, 2])
    whole = reference.psroi_assemble(maps, rois, 3, 9, 16).reshape(4, 4, 2, 9, 9)
    pairs = module.mask_logits(maps, rois, labels, 3, 9, 16)
    torch.testing.assert_close(pairs, whole[torch.arange(4), labels])
    assert not module.mask_logits(maps, rois, torch.tensor([-1, 4, -(2**40), 2**40]), 3, 9, 16).any()


@BOTH
def test_box_deltas_counting_maps_are_mean_over_bins(module):
    maps = torch.arange(4 * 4, dtype=torch.float32).reshape(1, 16, 1, 1).expand(1, 16, 2, 2).contiguous()
    deltas = module.box_deltas(maps, torch.tensor([[0.0, 0, 0, 31, 31]]), 2, 4, 16)
    assert deltas.tolist() == [[6, 7, 8, 9]]  # channels 0, 4, 8 and 12 are the bins of dx


def geometry_of(operator: str, bins: int, size: int, stride: int = 16) -> tuple[int, ...]:
    return (bins, stride) if operator in ("patent_class_logits", "patent_box_deltas") else (bins, size, stride)


@EACH_OPERATOR
def test_operators_at_stride_8_give_those_of_stride_16_for_rois_of_half_the_size(kernels, operator):
    """Pixels 2a to 2c + 1 at stride 16 are the same part of the maps as pixels a to c at stride 8."""
    maps, rois = random_maps(operator), random_rois()
    rois[:, 1:] = (rois[:, 1:] / 2).round()  # of the 56x72 image that the maps are of at stride 8
    twice = torch.cat([rois[:, :1], 2 * rois[:, 1:3], 2 * rois[:, 3:] + 1], dim=1)
    arguments = arguments_of(operator, 4, len(rois))
    halves, wholes = (
        getattr(kernels, operator)(maps, boxes, *arguments, *geometry_of(operator, 3, 9, stride))
        for boxes, stride in ((rois, 8), (twice, 16))
    )
    assert torch.equal(halves, wholes) and halves.count_nonzero() > len(halves)


def value_and_gradient(kernels, operator, maps, rois, arguments, bins, size):
    """The result, and the gradient of the maps for a random gradient of the result."""
    geometry = geometry_of(operator, bins, size)
    value = getattr(kernels, operator)(maps, rois, *arguments, *geometry)
    grad = torch.randn(value.shape, generator=torch.Generator().manual_seed(3))
    labels = arguments if operator.endswith("mask_logits") else ()
    return value, getattr(kernels, f"{operator}_backward")(grad, maps, rois, *labels, *geometry)


def check(kernels, operator, maps, rois, classes, bins, size):
    """Compares value and gradient with the reference, which gets the same maps in float32."""
    name = operator.removeprefix("patent_")
    arguments = arguments_of(name, classes, len(rois), none=True)
    value, maps_grad = value_and_gradient(kernels, operator, maps, rois, arguments, bins, size)
    wide = maps.float().requires_grad_()
    definition = reference if name == operator else patent_averages
    expected = getattr(definition, name)(wide, rois, *arguments, bins, size, 16)
    torch.testing.assert_close(value, expected.detach(), atol=5e-6, rtol=1e-5)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3))
    wanted = torch.autograd.grad(expected, wide, grad)[0] if expected.requires_grad else torch.zeros_like(wide)
    tolerance = HALF_TOLERANCE[maps.dtype]
    torch.testing.assert_close(maps_grad.float(), wanted, atol=tolerance, rtol=max(tolerance, 1e-4))
    assert maps_grad.dtype == maps.dtype and maps_grad.stride() == maps.stride()


@LAYOUTS
@EACH_OPERATOR
@pytest.mark.parametrize(("classes", "bins", "size"), CASES)
def test_assembly_typical_shapes_equals_reference(kernels, operator, classes, bins, size, layout):
    maps = random_maps(operator, classes=classes, bins=bins).to(memory_format=layout)
    check(kernels, operator, maps, random_rois(25), classes, bins, size)


@pytest.mark.parametrize("shape", [(40, 5), (5, 40), (1, 1), (12, 3)])
@EACH_OPERATOR
def test_assembly_patches_of_any_height_equal_reference(kernels, operator, shape):
    """Taller than what a thread of a CUDA kernel sums at a time, and next to nothing."""
    maps = random_maps(operator, 1, 17, 2, *shape).to(memory_format=torch.channels_last)
    whole = [0.0, 0, 0, 16 * shape[1], 16 * shape[0]]
    rois = torch.tensor([whole, [0, 3, 30, 60, 290], [0, 20, 100, 500, 340], [0, 0, 17, 9, 500]])
    check(kernels, operator, maps, rois, 17, 2, 6)


@given(
    operator=st.sampled_from(OPERATORS),
    classes=st.integers(1, 40),
    partition=st.sampled_from([(1, 1), (2, 4), (3, 9), (5, 5), (4, 12)]),
    points=st.sampled_from([1, 5, 12]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    count=st.integers(0, 14),
    seed=st.integers(0, 999),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_assembly_any_shape_equals_reference(
    kernels, operator, classes, partition, points, height, width, count, seed, layout, dtype
):
    (bins, size), patent = partition, operator.startswith("patent_")
    if patent:  # sums are exact, so equal sides are a case to compare; points need not be a multiple of the bins
        maps, size = stepped_maps(operator, classes, bins, height, width, seed), points
    else:
        maps = random_maps(operator, 2, classes, bins, height, width, seed)
    rois = random_rois(count, seed=seed, halves=patent)
    check(kernels, operator, maps.to(dtype).to(memory_format=layout), rois, classes, bins, size)


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@EACH_OPERATOR
def test_assembly_half_precision_sums_in_float32(kernels, operator, dtype, layout):
    """The same numbers as float32 give the same answer: nothing is rounded on the way."""
    maps, rois = random_maps(operator, classes=17).to(dtype).contiguous(memory_format=layout), random_rois()
    arguments = arguments_of(operator, 17, len(rois), none=True)
    value, grad = value_and_gradient(kernels, operator, maps, rois, arguments, 3, 9)
    wide_value, wide_grad = value_and_gradient(kernels, operator, maps.float(), rois, arguments, 3, 9)
    assert torch.equal(value, wide_value) and torch.equal(grad, wide_grad.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@EACH_OPERATOR
@pytest.mark.parametrize("classes", [4, 20])
def test_assembly_unaligned_maps_equal_aligned(kernels, operator, classes, dtype):
    """Pairs in two loads and stores instead of one."""
    maps, rois = random_maps(operator, classes=classes).to(dtype).to(memory_format=torch.channels_last), random_rois(25)
    arguments, behind = arguments_of(operator, classes, len(rois), none=True), shifted(maps)
    assert behind.data_ptr() % (2 * maps.element_size()) and not maps.data_ptr() % (2 * maps.element_size())
    value, grad = value_and_gradient(kernels, operator, maps, rois, arguments, 3, 9)
    value_behind, grad_behind = value_and_gradient(kernels, operator, behind, rois, arguments, 3, 9)
    torch.testing.assert_close(value_behind, value, atol=5e-6, rtol=1e-5)
    assert torch.equal(grad_behind, grad)


@LAYOUTS
@EACH_OPERATOR
@pytest.mark.parametrize("classes", [4, 20])
def test_assembly_any_number_and_order_of_threads_gives_the_same_bits(kernels, operator, classes, layout):
    """Calls of the emulated kernels differ in the order of their threads."""
    maps, rois = random_maps(operator, classes=classes).to(memory_format=layout), random_rois()
    arguments, threads, results = arguments_of(operator, classes, len(rois)), torch.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            results.append(value_and_gradient(kernels, operator, maps, rois, arguments, 3, 9))
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))


@pytest.mark.parametrize(("count", "shape"), [(0, (2, 3)), (9, (1, 1)), (12, (5, 2))])
@EACH_OPERATOR
def test_assembly_edge_sizes_equal_reference(kernels, operator, count, shape):
    check(kernels, operator, stepped_maps(operator, 5, 2, *shape), random_rois(count, halves=True), 5, 2, 4)


@LAYOUTS
@pytest.mark.parametrize("classes", [4, 20])
def test_class_logits_equal_sides_give_the_gradient_of_the_cpu(kernels, classes, layout):
    maps = random_maps("class_logits", classes=classes).mul(2).round().to(memory_format=layout)
    grad = torch.randn(40, classes, generator=torch.Generator().manual_seed(1))
    arguments = (grad, maps, random_rois(), 3, 9, 16)
    expected = torch.ops.fcis_ros.class_logits_backward(*arguments)
    torch.testing.assert_close(kernels.class_logits_backward(*arguments), expected, atol=1e-6, rtol=1e-5)


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("classes", "bins", "size"), [(4, 3, 9), (21, 3, 9), (33, 2, 6), (17, 3, 3), (1, 1, 4), (81, 7, 21)])
def test_best_class_masks_ties_and_nan_equal_mask_logits(kernels, classes, bins, size, dtype, layout):
    maps, rois = random_maps("mask_logits", classes=classes, bins=bins).to(dtype).to(memory_format=layout), random_rois(16)
    scores = torch.rand(len(rois), classes, generator=torch.Generator().manual_seed(4)).round(decimals=1)  # ties
    scores[8], scores[9, classes // 2 :], scores[10] = torch.nan, torch.nan, -1.0
    scores[11, 0] = 9.0  # the background is best
    masks = kernels.best_class_masks(maps, rois, scores, bins, size, 16)
    if classes == 1:  # there is only background
        assert (masks == 0.5).all()
        return
    labels = scores.nan_to_num(-torch.inf)[:, 1:].argmax(dim=1) + 1
    expected = torch.softmax(reference.mask_logits(maps.float(), rois, labels, bins, size, 16), dim=1)[:, 1]
    torch.testing.assert_close(masks, expected, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(reference.best_class_masks(maps, rois, scores, bins, size, 16), expected, atol=2e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Input #0 requires gradient")
@pytest.mark.parametrize("module", [ops, patent], ids=["grid", "patent"])
@pytest.mark.parametrize("name", NAMES)
def test_gradient_finite_differences_agree(module, name):
    maps = random_maps(name, images=1, classes=2, bins=2, height=4, width=5, seed=1).nan_to_num().requires_grad_()
    rois = torch.tensor([[0, 2.0, 3, 50, 60], [0, -9, 20, 200, 61]])

    def run(values):
        return getattr(module, name)(values, rois, *arguments_of(name, 2, 2), 2, 4, 16)

    # The maps are float32, so the finite differences are coarse.
    assert torch.autograd.gradcheck(run, maps, eps=1e-2, atol=1e-2, rtol=1e-2)
