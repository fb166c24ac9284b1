# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""From the bytes of an image message to the network's input, in one pass."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fcis_ros.encodings import EIGHT_BIT


def network_input(
    data: Tensor,
    encoding: str,
    height: int,
    width: int,
    step: int,
    scale: float,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """As ``reference.network_input``: to the bit what OpenCV's conversion and resizing and ``normalise`` give.

    Args:
        data: uint8, the message's bytes, ``step`` for every row; on any device.
        encoding: a key of ``EIGHT_BIT``.
        height: of the image.
        width: of the image.
        step: bytes from row to row.
        scale: pixels of the result per pixel of the image.
        mean: 3, in grey levels.
        std: 3, likewise.
        dtype: float32, float16 or bfloat16.

    Returns:
        [1, 3, H', W'], channels-last, H' and W' the sides times ``scale``, rounded half to even.

    Raises:
        ValueError: an argument does not fit; named in the message.
    """
    number = EIGHT_BIT[encoding].number
    return torch.ops.fcis_ros.network_input(data, number, height, width, step, scale, list(mean), list(std), dtype)


@torch.library.register_fake("fcis_ros::network_input")
def _(
    data: Tensor,
    layout: int,
    height: int,
    width: int,
    step: int,
    scale: float,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: torch.dtype,
) -> Tensor:
    sides = round(height * scale), round(width * scale)
    return data.new_empty((1, *sides, 3), dtype=dtype).permute(0, 3, 1, 2)
