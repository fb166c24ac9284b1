# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The 8-bit encodings of sensor_msgs/Image: layout of the bytes and conversion to RGB."""

from dataclasses import dataclass

import cv2
import numpy as np

from fcis_ros.errors import InputError


@dataclass(frozen=True)
class Layout:
    """The layout of an image's bytes.

    Attributes:
        number: number of the layout in ``csrc/pixels.h``.
        channels: bytes per pixel; of the luma where the chroma rows follow it.
        conversion: OpenCV's conversion to RGB; None for RGB.
    """

    number: int
    channels: int
    conversion: int | None

    @property
    def planar(self) -> bool:
        """Whether H rows of luma precede H/2 rows of interleaved chroma, all of the same step."""
        return self.conversion in (cv2.COLOR_YUV2RGB_NV12, cv2.COLOR_YUV2RGB_NV21)

    @property
    def bayer(self) -> bool:
        return self.channels == 1 and self.conversion != cv2.COLOR_GRAY2RGB and not self.planar


RGB = Layout(0, 3, None)
_BGR = Layout(1, 3, cv2.COLOR_BGR2RGB)
_BGRA = Layout(3, 4, cv2.COLOR_BGRA2RGB)
_MONO = Layout(4, 1, cv2.COLOR_GRAY2RGB)
_UYVY = Layout(9, 2, cv2.COLOR_YUV2RGB_UYVY)
_YUYV = Layout(10, 2, cv2.COLOR_YUV2RGB_YUY2)
# A ROS Bayer name gives the first two pixels of the first two rows; OpenCV's names give the second row and column, so rggb is
# OpenCV's BG.
EIGHT_BIT = {
    "rgb8": RGB,
    "8UC3": _BGR,
    "bgr8": _BGR,
    "rgba8": Layout(2, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": _BGRA,
    "8UC4": _BGRA,
    "mono8": _MONO,
    "8UC1": _MONO,
    "bayer_rggb8": Layout(5, 1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": Layout(6, 1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": Layout(7, 1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": Layout(8, 1, cv2.COLOR_BayerGB2RGB),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": Layout(11, 1, cv2.COLOR_YUV2RGB_NV12),
    "nv21": Layout(12, 1, cv2.COLOR_YUV2RGB_NV21),
}


def check_sides(encoding: str, height: int, width: int) -> None:
    """Checks that an image of these sides can have this 8-bit encoding.

    Raises:
        InputError: a side is odd where pixels share chroma, or shorter than four in a Bayer pattern.
    """
    layout = EIGHT_BIT[encoding]
    if layout.planar and (height % 2 or width % 2):
        raise InputError(f"image: {encoding} needs even sides, not {width}x{height}")
    if layout.bayer and (height < 4 or width < 4):
        raise InputError(f"image: {encoding} needs at least 4x4 pixels, not {width}x{height}")
    if layout.channels == 2 and width % 2:
        raise InputError(f"image: {encoding} needs an even width, not {width}")


def data_rows(encoding: str, height: int) -> int:
    """Returns the number of rows of bytes in an image of this height and 8-bit encoding."""
    return height * 3 // 2 if EIGHT_BIT[encoding].planar else height


def rows_to_rgb(rows: np.ndarray, encoding: str) -> np.ndarray:
    """Converts the rows of an 8-bit image, without padding, to RGB; rgb8 is returned unchanged.

    Args:
        rows: [``data_rows``, W * channels] uint8.
        encoding: a key of ``EIGHT_BIT``; the sides have been checked.

    Returns:
        [H, W, 3] uint8.
    """
    layout = EIGHT_BIT[encoding]
    pixels = np.ascontiguousarray(rows) if layout.planar else rows.reshape(len(rows), -1, layout.channels)
    return pixels if layout.conversion is None else convert(pixels, layout.conversion)


def convert(pixels: np.ndarray, conversion: int) -> np.ndarray:
    """Converts as ``cv2.cvtColor``, also a single pixel."""
    if pixels.shape == (1, 1, 3):  # OpenCV 4.5.4 refuses it; three channels are BGR here
        return pixels[..., ::-1].copy()
    return cv2.cvtColor(pixels, conversion)
