# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/Image and CompressedImage <-> RGB array. Pure functions: any object with the message's fields will do."""

import array
import importlib
import sys
from typing import Any

import cv2
import numpy as np

from fcis_ros.data.encoded import decode
from fcis_ros.errors import InputError

# encoding -> (bytes per pixel, OpenCV conversion to RGB or None). A ROS Bayer name gives the first two pixels of the first two
# rows; OpenCV's names give the second row and column, so rggb is OpenCV's BG.
_DIRECT = {
    "rgb8": (3, None),
    "8UC3": (3, cv2.COLOR_BGR2RGB),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "8UC4": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2RGB),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUY2),
}
# 16-bit encodings are brought to eight bits (see BitDepth), then go the way of the 8-bit one.
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
# Planar: H rows of luma, then H/2 rows of interleaved chroma, all of the same step.
_PLANAR = {"nv12": cv2.COLOR_YUV2RGB_NV12, "nv21": cv2.COLOR_YUV2RGB_NV21}
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION

ENCODINGS = tuple(_DIRECT) + tuple(_SIXTEEN) + tuple(_PLANAR)


class BitDepth:
    """How many bits the 16-bit images of one camera use: the fewest of 10, 12, 14 and 16 that hold every value seen so far.

    A camera of twelve bits fills the lower ones of a 16-bit message: by the upper eight alone its images would be nearly black.
    It is remembered from image to image, and grows only, or a video would flicker with its brightest pixel.
    """

    def __init__(self) -> None:
        self._bits = 10

    def eight_bits(self, values: np.ndarray) -> np.ndarray:
        """The upper eight of the bits in use; ``values`` is uint16 and not empty."""
        largest = int(values.max())
        self._bits = max(self._bits, next(bits for bits in (10, 12, 14, 16) if largest < 2**bits))
        return (values >> (self._bits - 8)).astype(np.uint8)


def to_rgb(message: Any, depth: BitDepth | None = None) -> np.ndarray:
    """Turns an image message into an array; rgb8 is a view of the message's data, everything else one conversion.

    Honours ``step`` (padded rows) and ``is_bigendian``. Encodings that are not listed in ``ENCODINGS`` go through cv_bridge
    where it can be imported.

    Args:
        message: a ``sensor_msgs/Image``.
        depth: of its camera; None for an image that stands alone.

    Returns:
        [H, W, 3] uint8, RGB; read-only where it is a view.

    Raises:
        InputError: an unknown encoding, no pixels, or ``step`` and ``height`` that disagree with the data.
    """
    height, width, encoding = message.height, message.width, message.encoding
    if height == 0 or width == 0:
        raise InputError(f"image: {width}x{height} has no pixels")
    if encoding in _PLANAR:
        if height % 2 or width % 2:
            raise InputError(f"image: {encoding} needs even sides, not {width}x{height}")
        rows = _rows(message, height * 3 // 2, width)
        return cv2.cvtColor(np.ascontiguousarray(rows), _PLANAR[encoding])
    if encoding in _SIXTEEN:
        encoding = _SIXTEEN[encoding]
        channels = _DIRECT[encoding][0]
        rows = np.ascontiguousarray(_rows(message, height, width * channels * 2))
        values = rows.view(">u2" if message.is_bigendian else "<u2").reshape(height, width, channels)
        return _to_rgb8((depth or BitDepth()).eight_bits(values), encoding)
    if encoding in _DIRECT:
        channels = _DIRECT[encoding][0]
        return _to_rgb8(_rows(message, height, width * channels).reshape(height, width, channels), encoding)
    return _by_cv_bridge(message)


def _rows(message: Any, rows: int, used: int) -> np.ndarray:
    """The message's data as [rows, used] bytes, without the padding at the end of each row."""
    data = np.frombuffer(message.data, dtype=np.uint8)
    if message.step < used:
        raise InputError(
            f"image: step {message.step} is too small for {message.width} pixels of {message.encoding} ({used} bytes)"
        )
    if message.step * rows != data.size:
        raise InputError(f"image: step {message.step} x {rows} rows is {message.step * rows} bytes, the data has {data.size}")
    return data.reshape(rows, message.step)[:, :used]


def compressed_to_rgb(message: Any, depth: BitDepth | None = None) -> np.ndarray:
    """Decodes a compressed image: jpeg, png and whatever else OpenCV reads.

    Whatever the message's ``format`` says, the data decide; a picture is taken as its pixels are stored, without the rotation
    that a tag may ask for, as camera_info and masks refer to those.

    Args:
        message: a ``sensor_msgs/CompressedImage``.
        depth: of its camera; None for an image that stands alone.

    Returns:
        [H, W, 3] uint8, RGB.

    Raises:
        InputError: the data are damaged, cut off, or no picture.
    """
    what = f"compressed image ({message.format[:60]!r})"
    if "compressedDepth" in message.format:
        raise InputError(f"{what}: depth is not a picture")
    data = np.frombuffer(message.data, dtype=np.uint8)
    # OpenCV fills up the missing part of a JPEG in grey; a marker closes a whole one, a few cameras pad it behind.
    if data[:2].tobytes() == b"\xff\xd8" and b"\xff\xd9" not in data[-1024:].tobytes():
        raise InputError(f"{what}: the data end before the picture does")
    try:
        pixels = decode(data, _AS_STORED)
    except InputError as error:
        raise InputError(f"{what}: {error} ({data.size} bytes)") from None
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{what}: pixels of type {pixels.dtype}")
    if pixels.dtype == np.uint16:
        pixels = (depth or BitDepth()).eight_bits(pixels)
    return _converted(pixels, cv2.COLOR_BGR2RGB)


def _to_rgb8(pixels: np.ndarray, encoding: str) -> np.ndarray:
    conversion = _DIRECT[encoding][1]
    if conversion is None:
        return pixels
    height, width = pixels.shape[:2]
    if encoding.startswith("bayer") and (height < 4 or width < 4):
        raise InputError(f"image: {encoding} needs at least 4x4 pixels, not {width}x{height}")
    if pixels.shape[2] == 2 and width % 2:
        raise InputError(f"image: {encoding} needs an even width, not {width}")
    return _converted(pixels, conversion)


def _converted(pixels: np.ndarray, conversion: int) -> np.ndarray:
    if pixels.shape == (1, 1, 3):  # OpenCV 4.5.4 refuses it; three channels are BGR here
        return pixels[..., ::-1].copy()
    return cv2.cvtColor(pixels, conversion)


def _by_cv_bridge(message: Any) -> np.ndarray:
    try:
        bridge = importlib.import_module("cv_bridge")
    except ImportError:
        raise InputError(f"image: encoding {message.encoding!r} is not supported ({', '.join(ENCODINGS)})") from None
    try:
        return bridge.CvBridge().imgmsg_to_cv2(message, "rgb8")
    except Exception as error:  # noqa: BLE001 (cv_bridge raises its own and OpenCV's errors)
        raise InputError(f"image: encoding {message.encoding!r}: {error}".splitlines()[0]) from None


def fill_image(message: Any, pixels: np.ndarray, encoding: str) -> None:
    """Puts an array into an image message.

    Args:
        message: the ``sensor_msgs/Image`` to fill; its header is left alone.
        pixels: [H, W, 3] uint8 for rgb8 and bgr8, [H, W] uint8 for mono8 or uint16 for mono16.
        encoding: one of these four.
    """
    pixels = np.ascontiguousarray(pixels)
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding
    message.is_bigendian = int(sys.byteorder == "big")
    message.step = pixels.strides[0]
    # An array.array goes into the message as it is; anything else is checked byte by byte on some distributions.
    data = array.array("B")
    data.frombytes(memoryview(pixels).cast("B"))
    message.data = data
