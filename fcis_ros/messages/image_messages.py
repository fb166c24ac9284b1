# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Converts sensor_msgs/Image and CompressedImage, or objects with their fields, to RGB arrays and back."""

import array
import importlib
import sys
from typing import Any

import numpy as np

from fcis_ros.encodings import EIGHT_BIT, check_sides, data_rows, rows_to_rgb
from fcis_ros.errors import InputError
from fcis_ros.image_decoding import decode, eight_bits
from fcis_ros.image_headers import read_header
from fcis_ros.messages.compressed_formats import codec_input, no_picture

# 16-bit encodings are reduced to eight bits (see ``eight_bits``), then converted as the 8-bit one.
_SIXTEEN = {
    name.replace("8", "16"): name
    for name in (
        "mono8", "8UC1", "rgb8", "bgr8", "8UC3", "rgba8", "bgra8", "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8",
    )
}  # fmt: skip
ENCODINGS = tuple(EIGHT_BIT) + tuple(_SIXTEEN)


def to_rgb(message: Any) -> np.ndarray:
    """Returns the pixels of an image message; rgb8 is a view of its data, other encodings are converted.

    Honours ``step`` (padded rows) and ``is_bigendian``. Encodings outside ``ENCODINGS`` are converted by cv_bridge if it can be
    imported.

    Args:
        message: the ``sensor_msgs/Image``.

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
        rows = eight_bits(values)
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


def compressed_to_rgb(message: Any) -> np.ndarray:
    """Decodes a compressed image: jpeg, png and the other formats of OpenCV, see ``image_decoding``.

    The data decide the codec, the message's ``format`` what the codec was given (``compressed_formats``).

    Args:
        message: the ``sensor_msgs/CompressedImage``.

    Returns:
        [H, W, 3] uint8, RGB.

    Raises:
        InputError: the data are damaged, truncated, or no picture.
    """
    name = f"compressed image ({message.format[:60]!r})"
    if "compressedDepth" in message.format:
        raise InputError(f"{name}: depth is not a picture")
    data = np.frombuffer(message.data, dtype=np.uint8)
    try:
        return decode(data, codec_input(message.format))
    except InputError as error:
        reason = None if read_header(data).codec else no_picture(message.format, data[:4].tobytes())
        raise InputError(f"{name}: {reason or error}") from None


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
