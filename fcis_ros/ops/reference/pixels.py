# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Definition of the network's input by OpenCV: colours, then size, then mean and standard deviation."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from fcis_ros.encodings import EIGHT_BIT, data_rows, rows_to_rgb


def network_input(
    data: Tensor, encoding: str, height: int, width: int, step: int, scale: float, mean: Sequence[float],
    std: Sequence[float], dtype: torch.dtype = torch.float32,
) -> Tensor:  # fmt: skip
    """Defines ``ops.network_input`` by OpenCV.

    OpenCV gets the factor, not the size, so that it samples at 1/scale as the released code does.
    """
    rows = data.cpu().numpy().reshape(data_rows(encoding, height), step)[:, : width * EIGHT_BIT[encoding].channels]
    rgb = rows_to_rgb(rows, encoding)
    if scale != 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    values = (rgb.astype(np.float32) - np.array(mean, np.float32)) / np.array(std, np.float32)
    return torch.from_numpy(values).permute(2, 0, 1)[None].to(data.device, dtype)
