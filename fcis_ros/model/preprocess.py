# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""RGB image -> input tensor."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from fcis_ros import ops
from fcis_ros.config import ModelConfig

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Original:
    """Size of the image that an input tensor was made from.

    Attributes:
        height: height in pixels.
        width: width in pixels.
        scale: number of resized pixels per original pixel.
    """

    height: int
    width: int
    scale: float


def resize_scale(height: int, width: int, config: ModelConfig) -> float:
    """Returns the factor that brings the short side to ``short_side`` without the long one exceeding ``max_side``."""
    scale = config.short_side / min(height, width)
    if round(scale * max(height, width)) > config.max_side:
        scale = config.max_side / max(height, width)
    return scale


@functools.lru_cache
def _table(mean: tuple[float, float, float], std: tuple[float, float, float]) -> np.ndarray:
    """Returns the normalised value of every value of every channel, [1, 256, 3] float32."""
    return ((np.arange(256, dtype=np.float32)[:, None] - np.array(mean, np.float32)) / np.array(std, np.float32))[None]


def normalise(image: np.ndarray, config: ModelConfig) -> Tensor:
    """Converts [H, W, 3] uint8 or float RGB to a [3, H, W] float32 tensor, mean subtracted, divided by std."""
    if image.dtype == np.uint8:  # a tenth of the time
        values = cv2.LUT(image, _table(tuple(config.mean), tuple(config.std)))
    else:
        values = (image.astype(np.float32) - np.array(config.mean, np.float32)) / np.array(config.std, np.float32)
    return torch.from_numpy(values).permute(2, 0, 1)


def preprocess(image: np.ndarray, config: ModelConfig, device: torch.device = CPU) -> tuple[Tensor, Original]:
    """Converts [H, W, 3] uint8 RGB to [1, 3, H', W'] float32 on the device, channels-last, and returns the size as well.

    OpenCV is given the factor, not the size, so that it samples at 1/scale as the released code does. A GPU gets the
    image's bytes and computes the same, to the bit (``ops.network_input``).
    """
    height, width = image.shape[:2]
    scale = resize_scale(height, width, config)
    original = Original(height, width, scale)
    if device.type == "cpu":
        resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR) if scale != 1 else image
        return normalise(resized, config)[None], original
    pixels = torch.from_numpy(np.require(image, requirements=["C", "W"]))  # PyTorch warns of read-only arrays
    data = pixels.to(device).reshape(-1)
    return ops.network_input(data, "rgb8", height, width, 3 * width, scale, config.mean, config.std), original
