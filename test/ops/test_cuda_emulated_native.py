# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels of ``assemble: native``, run on the host: against the slow reference, in any order of threads."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.ops.reference import native as slow

LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["nchw", "channels_last"])
NAMES = ("class_logits", "mask_logits", "box_deltas")


@pytest.fixture(scope="module")
def native(emulate):
    return emulate("native_covers.cu", "native_means.cu", "native_masks.cu")


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
    channels = bins * bins * (4 if name == "box_deltas" else 2 * classes)
    maps = torch.randint(-30, 31, (2, channels, height, width), generator=torch.Generator().manual_seed(seed)) / 8
    labels = (torch.arange(count) % (classes + 2) - 1,) if name == "mask_logits" else ()
    return maps, random_rois(count, seed=seed), labels


def forward(native, name, maps, rois, labels, bins, size):
    described, groups = native.describe(maps, rois, bins, size), maps.shape[1] // (bins * bins)
    if name == "mask_logits":
        result = torch.full((len(rois), 2, size, size), 7.0)
        native("fcis::cuda::native_masks", *described, *labels, result, None)
        return result
    pairs = name == "class_logits"
    result = torch.full((len(rois), groups // 2 if pairs else groups), 7.0)
    native("fcis::cuda::native_means", *described, pairs, native.workspace("native_means", *described, pairs), result, None)
    return result


def backward(native, name, grad, maps, rois, labels, bins, size):
    described, result = native.describe(maps, rois, bins, size), torch.full_like(maps, 7.0)
    if name == "mask_logits":
        space = native.workspace("native_masks_backward", *described)
        native("fcis::cuda::native_masks_backward", grad, *described, *labels, space, result, None)
    else:
        space = native.workspace("native_means_backward", *described)
        native("fcis::cuda::native_means_backward", grad, *described, name == "class_logits", space, result, None)
    return result


def check(native, name, maps, rois, labels, bins, size):
    own = maps.float().requires_grad_()
    expected = getattr(slow, name)(own, rois, *labels, bins, size, 16)
    found = forward(native, name, maps, rois, labels, bins, size)
    torch.testing.assert_close(found, expected.detach(), atol=1e-6, rtol=1e-6)
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3))
    (wanted,) = torch.autograd.grad(expected, own, grad)
    tolerance = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 3e-2}[maps.dtype]
    found = backward(native, name, grad, maps, rois, labels, bins, size)
    torch.testing.assert_close(found.float(), wanted, atol=tolerance, rtol=tolerance)


@LAYOUTS
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("classes", "bins", "size"), [(4, 7, 21), (33, 2, 6), (1, 1, 4), (81, 3, 5)])
def test_values_and_gradients(native, name, classes, bins, size, layout):
    maps, rois, labels = case(name, classes=classes, bins=bins)
    check(native, name, maps.to(memory_format=layout), rois, labels, bins, size)


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
def test_any_shape(native, name, classes, bins, size, height, width, count, seed, layout, dtype):
    maps, rois, labels = case(name, count, classes, bins, height, width, seed)
    check(native, name, maps.to(dtype).to(memory_format=layout), rois, labels, bins, size)


@pytest.mark.parametrize("order", [1, 7], ids=["descending", "shuffled"])
@pytest.mark.parametrize("name", NAMES)
def test_results_do_not_depend_on_the_order_of_threads(native, name, order):
    maps, rois, labels = case(name, classes=20)
    results = []
    try:
        for seed in (0, order):
            native.order(seed)
            value = forward(native, name, maps, rois, labels, 3, 9)
            results.append((value, backward(native, name, torch.ones_like(value), maps, rois, labels, 3, 9)))
    finally:
        native.order(0)
    assert all(map(torch.equal, *results))


@pytest.mark.parametrize("name", NAMES)
def test_under_sanitizer(native, name):
    for count, shape in [(0, (2, 3)), (9, (1, 1)), (12, (5, 2))]:
        maps, rois, labels = case(name, count, 5, 2, *shape)
        check(native, name, maps, rois, labels, 2, 5)


def test_kernels_stay_inside_their_arrays(sanitized):
    sanitized(__file__, "under_sanitizer")
