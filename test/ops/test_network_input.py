# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""From an image's bytes to the network's input: every kernel against OpenCV, to the bit."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from fcis_ros import ops
from fcis_ros.encodings import EIGHT_BIT, data_rows
from fcis_ros.ops import reference

pytestmark = pytest.mark.timeout(900)  # where the emulated operators are compiled first
MEAN, STD = (123.15, 115.9, 103.06), (58.4, 1.0, 57.1)


def picture(encoding: str, height: int, width: int, padding: int, seed: int) -> tuple:
    """Noise with flat parts, where clipping shows, as arguments of the operator."""
    rng = np.random.default_rng(seed)
    step = width * EIGHT_BIT[encoding].channels + padding
    data = rng.integers(0, 256, (data_rows(encoding, height), step), dtype=np.uint8)
    data[: height // 3] = rng.choice([0, 16, 128, 240, 255])
    return torch.from_numpy(data.reshape(-1)), encoding, height, width, step


@st.composite
def pictures(draw) -> tuple:
    height, width = draw(st.integers(2, 24)) * 2, draw(st.integers(2, 24)) * 2
    encoding = draw(st.sampled_from(sorted(EIGHT_BIT)))
    if EIGHT_BIT[encoding].conversion is None or EIGHT_BIT[encoding].channels > 2:
        height, width = height - draw(st.integers(0, 3)), width - draw(st.integers(0, 3))
    arguments = picture(encoding, height, width, draw(st.integers(0, 5)), draw(st.integers(0, 99)))
    scale = draw(st.one_of(st.just(1.0), st.sampled_from([0.5, 2.0, 1.25, 600 / 1080]), st.floats(0.5, 4)))
    assume(round(height * scale) and round(width * scale))
    return *arguments, scale, MEAN, STD


@given(pictures(), st.sampled_from([torch.float32, torch.float32, torch.float16, torch.bfloat16]))
def test_network_input_any_picture_equals_opencv_to_the_bit(kernels, arguments, dtype):
    data, encoding, *others = arguments
    actual = kernels.network_input(data, EIGHT_BIT[encoding].number, *others, dtype)
    assert actual.is_contiguous(memory_format=torch.channels_last)
    expected = reference.network_input(*arguments, dtype)
    assert actual.dtype == dtype and torch.equal(actual, expected)


@pytest.mark.parametrize("encoding", sorted(EIGHT_BIT))
def test_network_input_large_picture_equals_opencv(encoding):
    """Every colour is near others here, and the result is as large as a camera's."""
    arguments = (*picture(encoding, 480, 640, 7, 1), 0.9375, MEAN, STD)
    assert torch.equal(ops.network_input(*arguments), reference.network_input(*arguments))


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("encoding", sorted(EIGHT_BIT))
def test_network_input_on_gpu_equals_cpu(encoding, dtype):
    data, *rest = picture(encoding, 480, 640, 7, 3)
    on_gpu = ops.network_input(data.cuda(), *rest, 0.9375, MEAN, STD, dtype)
    assert torch.equal(on_gpu.cpu(), ops.network_input(data, *rest, 0.9375, MEAN, STD, dtype))


@pytest.mark.parametrize("scale", [1.0, 0.5, 1.7])
def test_network_input_opcheck_passes(scale):
    data, encoding, height, width, step = picture("nv12", 10, 8, 1, 0)
    arguments = (data, EIGHT_BIT[encoding].number, height, width, step, scale, list(MEAN), list(STD), torch.float16)
    torch.library.opcheck(torch.ops.fcis_ros.network_input.default, arguments)


def test_network_input_grey_pixel_matches_hand_calculation():
    """(130 - 123) / 2, and so on: one pixel, two grey levels, drawn to twice its size."""
    data = torch.tensor([130], dtype=torch.uint8)
    actual = ops.network_input(data, "mono8", 1, 1, 1, 2.0, (123.0, 120.0, 130.0), (2.0, 5.0, 1.0))
    assert actual.tolist() == [[[[3.5] * 2] * 2, [[2.0] * 2] * 2, [[0.0] * 2] * 2]]


WRONG = {
    "data: expected contiguous uint8": dict(data=torch.zeros(48)),
    "data: 48 bytes are not 4 rows of 13": dict(step=13),
    "step: 11 is no length of 4 pixels": dict(step=11),
    "layout: expected 0..12, got 13": dict(layout=13),
    "height: this layout needs an even one, got 3": dict(layout=11, height=3, step=16),
    "width: this layout needs an even one, got 3": dict(layout=9, width=3),
    "this layout needs at least 4, got 4 x 3": dict(layout=5, width=3),
    "height, width: expected 1..32768, got 0 x 0": dict(scale=0.01),
    "scale: expected": dict(scale=float("nan")),
    "mean, std: expected 3 each": dict(mean=[1.0]),
    "dtype: expected": dict(dtype=torch.float64),
}


@pytest.mark.parametrize(
    "emulated", [pytest.param(False, id="cpu"), pytest.param(True, id="cuda", marks=[pytest.mark.slow, pytest.mark.compiler])]
)
@pytest.mark.parametrize("message", WRONG)
def test_network_input_wrong_arguments_are_named(message, emulated, request):
    right = dict(data=torch.zeros(48, dtype=torch.uint8), layout=0, height=4, width=4, step=12, scale=1.0, mean=MEAN, std=STD)
    arguments = (right | {"dtype": torch.float32} | WRONG[message]).values()
    operators = request.getfixturevalue("emulated_operators") if emulated else torch.ops.fcis_ros
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        operators.network_input(*arguments)
