# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""From the bytes of an image message to the network's input, in one pass."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fcis_ros.encodings import EIGHT_BIT
from fcis_ros.ops.fake_checks import MAP_DTYPES, check_tensor


def network_input(
    data: Tensor, encoding: str, height: int, width: int, step: int, scale: float, mean: Sequence[float],
    std: Sequence[float], dtype: torch.dtype = torch.float32,
) -> Tensor:  # fmt: skip
    """Computes the network's input: colours to RGB, bilinear resizing, mean and standard deviation.

    Equal to the bit to OpenCV's conversion and resizing followed by ``normalise``. Definition: ``reference.network_input``.

    Args:
        data: [rows * step] uint8 bytes of the message, contiguous, on any device; planar encodings have 3/2 H rows, others H.
        encoding: name of the pixel encoding, a key of ``EIGHT_BIT``.
        height: height of the image, pixels, 1 to 32768.
        width: width of the image, pixels, 1 to 32768.
        step: bytes from row to row.
        scale: pixels of the result per pixel of the image, above 0 up to 1024.
        mean: 3 means of the channels R, G, B, in grey levels.
        std: 3 standard deviations, in grey levels.
        dtype: dtype of the result: float32, float16 or bfloat16.

    Returns:
        [1, 3, H', W'] values, channels-last; H' and W' are the sides times ``scale``, rounded half to even.

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    number = EIGHT_BIT[encoding].number
    return torch.ops.fcis_ros.network_input(data, number, height, width, step, scale, list(mean), list(std), dtype)


@torch.library.register_fake("fcis_ros::network_input")
def _(
    data: Tensor, layout: int, height: int, width: int, step: int, scale: float, mean: Sequence[float],
    std: Sequence[float], dtype: torch.dtype,
) -> Tensor:  # fmt: skip
    check_tensor("data", data, (None,) * data.dim(), torch.uint8)
    torch._check_value(dtype in MAP_DTYPES, lambda: f"dtype: expected {' or '.join(map(str, MAP_DTYPES))}, got {dtype}")
    sides = round(height * scale), round(width * scale)
    return data.new_empty((1, *sides, 3), dtype=dtype).permute(0, 3, 1, 2)
