# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Convolutions with "SAME" padding, against TensorFlow's formula, which computes the pads of each side."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.model.same_convolution import SameConv2d


def pads(length: int, side: int, stride: int, dilation: int) -> tuple[int, int]:
    """Rows or columns of zeros before and behind an axis."""
    outputs = -(-length // stride)
    total = max((outputs - 1) * stride + (side - 1) * dilation + 1 - length, 0)
    return total // 2, total - total // 2


def same(conv: SameConv2d, x: torch.Tensor) -> torch.Tensor:
    stride, dilation, side = conv.stride[0], conv.dilation[0], conv.kernel_size[0]
    height, width = (pads(length, side, stride, dilation) for length in x.shape[2:])
    return F.conv2d(F.pad(x, (*width, *height)), conv.weight, None, stride, 0, dilation, conv.groups)


@given(
    st.sampled_from([3, 5]),
    st.sampled_from([(1, 1), (1, 2), (1, 4), (2, 1)]),
    st.sampled_from([1, 4]),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_same_conv2d_any_size_equals_tensorflows_formula(side, stride_and_dilation, groups, height, width):
    """In float64, so that only the order of the sums differs."""
    torch.manual_seed(0)
    conv = SameConv2d(4, 4, side, *stride_and_dilation, groups=groups).double()
    x = torch.randn(2, 4, height, width, dtype=torch.float64)
    with torch.no_grad():
        found = conv(x)
        assert found.shape[2:] == (-(-height // conv.stride[0]), -(-width // conv.stride[0]))
        torch.testing.assert_close(found, same(conv, x))


@pytest.mark.parametrize(("length", "columns"), [(6, [1, 3, 5]), (5, [0, 2, 4])])
def test_same_conv2d_stride_2_reads_the_second_column_of_an_even_image(length, columns):
    """A kernel of which the middle alone is not zero shows which columns the outputs are centred on."""
    conv = SameConv2d(1, 1, 3, stride=2)
    with torch.no_grad():
        conv.weight.zero_()[..., 1, 1] = 1
        image = torch.arange(length, dtype=torch.float32).expand(1, 1, length, length)
        assert conv(image)[0, 0, 0].tolist() == columns


@pytest.mark.parametrize("stride", [1, 2])
def test_same_conv2d_depthwise_trained_in_bf16_has_gradients_of_float32(stride):
    """Under autocast the sums are of float32; what is rounded is the result. The gradient that comes in is one of bfloat16."""
    torch.manual_seed(0)
    conv = SameConv2d(8, 8, 5, stride, groups=8)
    image = torch.randn(2, 8, 9, 12).bfloat16()
    ours, exact = image.clone().requires_grad_(), image.float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = conv(ours)
    expected = same(conv, exact)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected.bfloat16())
    upstream = torch.randn(expected.shape).bfloat16()
    found_gradients = torch.autograd.grad(found, [conv.weight, ours], upstream)
    expected_gradients = torch.autograd.grad(expected, [conv.weight, exact], upstream.float())
    assert found_gradients[0].dtype == torch.float32
    torch.testing.assert_close(found_gradients[0], expected_gradients[0])
    torch.testing.assert_close(found_gradients[1], expected_gradients[1].bfloat16())


@pytest.mark.parametrize("groups", [1, 8])
def test_same_conv2d_inference_stays_in_its_precision(groups, monkeypatch):
    """Whether gradients are on or off: with weights of bfloat16 nothing is computed in float32, nor with frozen ones."""
    conv, dtypes, convolve = SameConv2d(8, 8, 3, groups=groups).bfloat16(), [], F.conv2d
    monkeypatch.setattr(F, "conv2d", lambda x, *rest: dtypes.append(x.dtype) or convolve(x, *rest))
    image = torch.ones(1, 8, 6, 6, dtype=torch.bfloat16)
    conv(image)
    with torch.no_grad():
        conv(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        conv.float().requires_grad_(False)(image)
    assert dtypes == [torch.bfloat16] * 3
