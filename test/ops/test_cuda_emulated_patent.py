# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels of ``assemble: native``, run on the host: against the slow reference, in any order of threads."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import arguments_of, channels_of, shifted, spoil

from fcis_ros.ops.reference import patent_averages as slow

pytestmark = pytest.mark.compiler

LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["nchw", "channels_last"])
NAMES = ("class_logits", "mask_logits", "box_deltas")


@pytest.fixture(scope="module")
def patent(emulate):
    return emulate("patent_covers.cu", "patent_means.cu", "patent_masks.cu")


def random_rois(count, images=2, seed=0) -> torch.Tensor:
    """Inside, across and outside the border of a 112x144 image, of every size, some inside out, some that are no ROIs."""
    generator = torch.Generator().manual_seed(seed)
    corner = (torch.rand(count, 2, generator=generator) * 480 - 120).round() / 2
    side = torch.rand(count, 2, generator=generator) ** 2 * 260 - 10
    image = torch.randint(0, images, (count, 1), generator=generator).float()
    rois = torch.cat([image, corner, corner + side], dim=1)
    bad = [(1, torch.nan), (4, torch.inf), (0, -1), (0, images), (2, -torch.inf), (3, 1e30), (0, 0.5), (2, -3e38)]
    for row, (column, value) in enumerate(bad[: max(0, count - 3)]):
        rois[row, column] = value
    return rois


def case(name, count=20, classes=4, bins=3, height=7, width=9, seed=0):
    """Maps in steps of 1/8, so that sides are often equal, ROIs, and labels, some of no class."""
    shape = (2, channels_of(name, classes, bins), height, width)
    maps = torch.randint(-30, 31, shape, generator=torch.Generator().manual_seed(seed)) / 8
    return spoil(name, maps, classes), random_rois(count, seed=seed), arguments_of(name, classes, count, none=True)


def forward(patent, name, maps, rois, own, bins, size):
    """``own``: the classes or the labels, as ``arguments_of`` gives them."""
    described = patent.describe(maps, rois, bins, size)
    if name == "mask_logits":
        result = torch.full((len(rois), 2, size, size), 7.0)
        patent("fcis::cuda::patent_masks", *described, *own, result, None)
        return result
    (groups,) = own or (4,)
    result, space = torch.full((len(rois), groups), 7.0), patent.workspace("patent_means", *described, groups)
    patent("fcis::cuda::patent_means", *described, name == "class_logits", groups, space, result, None)
    return result


def backward(patent, name, grad, maps, rois, own, bins, size):
    described, result = patent.describe(maps, rois, bins, size), torch.full_like(maps, 7.0)
    result = shifted(result) if maps.storage_offset() else result
    if name == "mask_logits":
        space = patent.workspace("patent_masks_backward", *described)
        patent("fcis::cuda::patent_masks_backward", grad, *described, *own, space, result, None)
    else:
        space = patent.workspace("patent_means_backward", *described)
        pairs, groups = name == "class_logits", grad.shape[1]
        patent("fcis::cuda::patent_means_backward", grad, *described, pairs, groups, space, result, None)
    return result


def check(patent, name, maps, rois, arguments, bins, size):
    own = maps.float().requires_grad_()
    expected = getattr(slow, name)(own, rois, *arguments, bins, size, 16)
    found = forward(patent, name, maps, rois, arguments, bins, size)
    torch.testing.assert_close(found, expected.detach(), atol=1e-6, rtol=1e-6)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3))
    (wanted,) = torch.autograd.grad(expected, own, grad)
    tolerance = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 3e-2}[maps.dtype]
    found = backward(patent, name, grad, maps, rois, arguments, bins, size)
    torch.testing.assert_close(found.float(), wanted, atol=tolerance, rtol=tolerance)


@LAYOUTS
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("classes", "bins", "size"), [(4, 7, 21), (33, 2, 6), (1, 1, 4), (81, 3, 5)])
def test_values_and_gradients(patent, name, classes, bins, size, layout):
    maps, rois, own = case(name, classes=classes, bins=bins)
    check(patent, name, maps.to(memory_format=layout), rois, own, bins, size)


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
def test_any_shape(patent, name, classes, bins, size, height, width, count, seed, layout, dtype):
    maps, rois, own = case(name, count, classes, bins, height, width, seed)
    check(patent, name, maps.to(dtype).to(memory_format=layout), rois, own, bins, size)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("name", NAMES[:2])
def test_maps_that_are_not_aligned(patent, name, dtype):
    """Pairs in two loads and stores instead of one: the same bits."""
    maps, rois, own = case(name, classes=5)
    maps, results = maps.to(dtype).to(memory_format=torch.channels_last), []
    for one in (maps, shifted(maps)):
        value = forward(patent, name, one, rois, own, 3, 9)
        results.append((value, backward(patent, name, torch.ones_like(value), one, rois, own, 3, 9)))
    assert all(map(torch.equal, *results))


@pytest.mark.parametrize("order", [1, 7], ids=["descending", "shuffled"])
@pytest.mark.parametrize("name", NAMES)
def test_results_do_not_depend_on_the_order_of_threads(patent, name, order):
    maps, rois, own = case(name, classes=20)
    results = []
    try:
        for seed in (0, order):
            patent.order(seed)
            value = forward(patent, name, maps, rois, own, 3, 9)
            results.append((value, backward(patent, name, torch.ones_like(value), maps, rois, own, 3, 9)))
    finally:
        patent.order(0)
    assert all(map(torch.equal, *results))


@pytest.mark.parametrize("name", NAMES)
def test_under_sanitizer(patent, name):
    for count, shape in [(0, (2, 3)), (9, (1, 1)), (12, (5, 2))]:
        maps, rois, own = case(name, count, 5, 2, *shape)
        check(patent, name, maps, rois, own, 2, 5)


@pytest.mark.slow
def test_kernels_stay_inside_their_arrays(sanitized):
    sanitized(__file__, "under_sanitizer")
