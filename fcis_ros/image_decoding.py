# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Encoded pictures (JPEG, PNG and what else OpenCV reads) -> arrays, at a cost that the data's own size bounds."""

import cv2
import numpy as np

from fcis_ros.errors import InputError

# DEFLATE packs at most 1032 bytes into one, JPEG a few hundred pixels: a header that promises more is a lie, or a trap.
PIXELS_PER_BYTE = 1024
SMALL = 2**20  # pixels that may be promised for nothing


def decode(data: np.ndarray, flags: int) -> np.ndarray:
    """Decodes a picture.

    Args:
        data: [N] uint8, the content of a picture file.
        flags: OpenCV's, such as ``cv2.IMREAD_COLOR``.

    Returns:
        What OpenCV makes of it: [H, W] or [H, W, C], colours in the order blue, green, red.

    Raises:
        InputError: not a picture, cut off, or a header that promises far more pixels than the data can hold.
    """
    size = claimed_size(data[: 2**20].tobytes())
    if size and size[0] * size[1] > SMALL + PIXELS_PER_BYTE * data.size:
        raise InputError(f"{data.size} bytes cannot hold the {size[0]}x{size[1]} pixels that they promise")
    try:
        image = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:  # too many pixels for OpenCV, for instance
        image = None
    if image is None:
        raise InputError("not an image that can be decoded")
    return image


def claimed_size(head: bytes) -> tuple[int, int] | None:
    """Width and height as a PNG or JPEG header has them; None for other formats and headers without a size."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if not head.startswith(b"\xff\xd8"):
        return None
    place = 2
    while place + 9 <= len(head) and head[place] == 0xFF:
        marker = head[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            return int.from_bytes(head[place + 7 : place + 9], "big"), int.from_bytes(head[place + 5 : place + 7], "big")
        place += 1 if marker == 0xFF else 2 + int.from_bytes(head[place + 2 : place + 4], "big")
    return None
