# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checks of images; without PyTorch, which processes that only pass images on need not load."""

import numpy as np

from fcis_ros.errors import InputError

MAX_ASPECT = 20  # beyond this one side of the resized image would be shorter than a few feature cells


def check_image(image: np.ndarray) -> None:
    """Raises InputError unless ``image`` is a [H, W, 3] uint8 array that the network can use."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        given = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"image: expected a uint8 array [H, W, 3], found {given}")
    height, width = image.shape[:2]
    if min(height, width) < 2:
        raise InputError(f"image: {width}x{height} is too small, each side needs at least 2 pixels")
    if max(height, width) > MAX_ASPECT * min(height, width):
        raise InputError(f"image: {width}x{height} is too elongated, the sides may differ by a factor of {MAX_ASPECT} at most")
