# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Converts sensor_msgs/Image and CompressedImage, or objects with their fields, to RGB arrays and back."""

import array
import importlib
import sys
from typing import Any

import cv2
import numpy as np

from fcis_ros.encodings import EIGHT_BIT, check_sides, convert, data_rows, rows_to_rgb
from fcis_ros.errors import InputError
from fcis_ros.image_decoding import decode

# 16-bit encodings are reduced to eight bits (see BitDepth), then converted as the 8-bit one.
_SIXTEEN = {
    "mono16": "mono8",
    "16UC1": "8UC1",
    "rgb16": "rgb8",
    "bgr16": "bgr8",
    "16UC3": "8UC3",
    "rgba16": "rgba8",
    "bgra16": "bgra8",
    "bayer_rggb16": "bayer_rggb8",
    "bayer_bggr16": "bayer_bggr8",
    "bayer_gbrg16": "bayer_gbrg8",
    "bayer_grbg16": "bayer_grbg8",
}
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION

ENCODINGS = tuple(EIGHT_BIT) + tuple(_SIXTEEN)


class BitDepth:
    """The bits that the 16-bit images of one camera use: the fewest of 10, 12, 14 and 16 that hold every value so far.

    A twelve-bit camera fills the lower bits of a 16-bit message: by the upper eight alone its images would be nearly black. The
    number is kept between images and only grows; otherwise a video would flicker with its brightest pixel.
    """

    def __init__(self) -> None:
        self._bits = 10

    def eight_bits(self, values: np.ndarray) -> np.ndarray:
        """Returns the upper eight of the bits in use; ``values`` is uint16 and not empty."""
        largest = int(values.max())
        self._bits = max(self._bits, next(bits for bits in (10, 12, 14, 16) if largest < 2**bits))
        return (values >> (self._bits - 8)).astype(np.uint8)


def to_rgb(message: Any, depth: BitDepth | None = None) -> np.ndarray:
    """Returns the pixels of an image message; rgb8 is a view of its data, other encodings are converted.

    Honours ``step`` (padded rows) and ``is_bigendian``. Encodings outside ``ENCODINGS`` are converted by cv_bridge if it can be
    imported.

    Args:
        message: the ``sensor_msgs/Image``.
        depth: the bit depth of its camera; None for a single image.

    Returns:
        [H, W, 3] uint8, RGB; read-only if it is a view.

    Raises:
        InputError: the encoding is unknown, there are no pixels, or ``step`` and ``height`` do not fit the data.
    """
    height, width, encoding = message.height, message.width, message.encoding
    if height == 0 or width == 0:
        raise InputError(f"image: {width}x{height} has no pixels")
    wide = encoding in _SIXTEEN
    encoding = _SIXTEEN.get(encoding, encoding)
    if encoding not in EIGHT_BIT:
        return _by_cv_bridge(message)
    check_sides(encoding, height, width)
    used = width * EIGHT_BIT[encoding].channels
    rows = _rows(message, data_rows(encoding, height), used * 2 if wide else used)
    if wide:
        values = np.ascontiguousarray(rows).view(">u2" if message.is_bigendian else "<u2")
        rows = (depth or BitDepth()).eight_bits(values)
    return rows_to_rgb(rows, encoding)


def _rows(message: Any, rows: int, used: int) -> np.ndarray:
    """Returns the message's data as [rows, used] bytes, without the padding at the end of each row."""
    data = np.frombuffer(message.data, dtype=np.uint8)
    if message.step < used:
        raise InputError(
            f"image: step {message.step} is too small for {message.width} pixels of {message.encoding} ({used} bytes)"
        )
    if message.step * rows != data.size:
        raise InputError(f"image: step {message.step} x {rows} rows is {message.step * rows} bytes, the data has {data.size}")
    return data.reshape(rows, message.step)[:, :used]


def compressed_to_rgb(message: Any, depth: BitDepth | None = None) -> np.ndarray:
    """Decodes a compressed image: jpeg, png and the other formats of OpenCV.

    The data decide, not the message's ``format``. Pixels are returned as stored, without the rotation of an EXIF tag, because
    camera_info and masks refer to them.

    Args:
        message: the ``sensor_msgs/CompressedImage``.
        depth: the bit depth of its camera; None for a single image.

    Returns:
        [H, W, 3] uint8, RGB.

    Raises:
        InputError: the data are damaged, truncated, or no picture.
    """
    name = f"compressed image ({message.format[:60]!r})"
    if "compressedDepth" in message.format:
        raise InputError(f"{name}: depth is not a picture")
    data = np.frombuffer(message.data, dtype=np.uint8)
    # OpenCV fills the missing part of a JPEG with grey; a marker ends a complete one, some cameras add padding.
    if data[:2].tobytes() == b"\xff\xd8" and b"\xff\xd9" not in data[-1024:].tobytes():
        raise InputError(f"{name}: the data end before the picture does")
    try:
        pixels = decode(data, _AS_STORED)
    except InputError as error:
        raise InputError(f"{name}: {error} ({data.size} bytes)") from None
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{name}: pixels of type {pixels.dtype}")
    if pixels.dtype == np.uint16:
        pixels = (depth or BitDepth()).eight_bits(pixels)
    return convert(pixels, cv2.COLOR_BGR2RGB)


def _by_cv_bridge(message: Any) -> np.ndarray:
    try:
        bridge = importlib.import_module("cv_bridge")
    except ImportError:
        raise InputError(f"image: encoding {message.encoding!r} is not supported ({', '.join(ENCODINGS)})") from None
    try:
        return bridge.CvBridge().imgmsg_to_cv2(message, "rgb8")
    except Exception as error:  # noqa: BLE001 (cv_bridge raises errors of OpenCV and others)
        raise InputError(f"image: encoding {message.encoding!r}: {error}".splitlines()[0]) from None


def fill_image(message: Any, pixels: np.ndarray, encoding: str) -> None:
    """Fills an image message.

    Args:
        message: the ``sensor_msgs/Image`` to fill; the header is not changed.
        pixels: [H, W, 3] uint8 for rgb8 and bgr8, [H, W] uint8 for mono8 or uint16 for mono16.
        encoding: one of these four encodings.
    """
    pixels = np.ascontiguousarray(pixels)
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding
    message.is_bigendian = int(sys.byteorder == "big")
    message.step = pixels.strides[0]
    # An array.array goes into the message as it is; other types are checked byte by byte on some distributions.
    data = array.array("B")
    data.frombytes(pixels.data.cast("B"))
    message.data = data
