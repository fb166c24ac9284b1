# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Decoding of JPEG, PNG and other images that OpenCV reads, at a cost bounded by the size of the data."""

import cv2
import numpy as np

from fcis_ros.errors import InputError

# DEFLATE packs at most 1032 bytes into one, JPEG a few hundred pixels: a header that claims more is wrong or hostile.
PIXELS_PER_BYTE = 1024
SMALL = 2**20  # pixels that may be claimed whatever the size of the data


def decode(data: np.ndarray, flags: int) -> np.ndarray:
    """Decodes an image.

    Args:
        data: [N] uint8, the content of an image file.
        flags: flags of OpenCV, such as ``cv2.IMREAD_COLOR``.

    Returns:
        The image, [H, W] or [H, W, C], colours in the order blue, green, red.

    Raises:
        InputError: the data is not an image, is truncated, or its header claims far more pixels than it can hold.
    """
    size = claimed_size(data[: 2**20].tobytes())
    if size and size[0] * size[1] > SMALL + PIXELS_PER_BYTE * data.size:
        raise InputError(f"{data.size} bytes cannot hold the {size[0]}x{size[1]} pixels that their header claims")
    try:
        image = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:  # too many pixels for OpenCV, for instance
        image = None
    if image is None:
        raise InputError("not an image that can be decoded")
    return image


def claimed_size(head: bytes) -> tuple[int, int] | None:
    """Returns width and height from a PNG or JPEG header; None for other formats and headers without a size."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if not head.startswith(b"\xff\xd8"):
        return None
    offset = 2
    while offset + 9 <= len(head) and head[offset] == 0xFF:
        marker = head[offset + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            return int.from_bytes(head[offset + 7 : offset + 9], "big"), int.from_bytes(head[offset + 5 : offset + 7], "big")
        offset += 1 if marker == 0xFF else 2 + int.from_bytes(head[offset + 2 : offset + 4], "big")
    return None
