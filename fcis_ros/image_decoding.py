# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The decoder of pictures: bytes of JPEG, PNG and what else OpenCV reads, to pixels, at a cost bounded by the size of the data.

Files, compressed messages of recordings and of the node all go through ``decode``: the same bytes give the same pixels.

- Pixels are returned as stored, without the rotation of an EXIF tag: camera_info and the annotations of most tools refer to
  these, and so do masks.
- 16-bit values are reduced by the picture alone, see ``eight_bits``.
- A picture that is cut off is refused. What follows the end of a picture, such as the zeros of a camera's buffer, is ignored.
"""

import cv2
import numpy as np

from fcis_ros.encodings import EIGHT_BIT, check_sides, convert, rows_to_rgb
from fcis_ros.errors import InputError
from fcis_ros.image_headers import UPRIGHT, ImageHeader, read_header

# DEFLATE packs at most 1032 bytes into one, JPEG a few hundred pixels: a header that claims more is wrong or hostile.
PIXELS_PER_BYTE = 1024
SMALL = 2**20  # pixels that may be claimed whatever the size of the data
DEPTHS = (10, 12, 14, 16)  # bits that the values of cameras and scanners have in 16-bit pictures
WIDTHS = "only unsigned integers of up to 16 bits are read (JPEG: 8)"
CUT_OFF = "the data end before the picture does"
# Suffixes by which OpenCV says whether it was built with a codec, for those that some builds lack.
OPTIONAL = {"GIF": ".gif", "AVIF": ".avif", "HEIC": ".heic", "JPEG XL": ".jxl", "PSD": ".psd"}
_EOI = b"\xff\xd9"
_AS_STORED = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


def decode(data: np.ndarray, encoding: str = "bgr8") -> np.ndarray:
    """Decodes a picture to RGB.

    Args:
        data: [N] uint8, the content of an image file.
        encoding: what the codec was given, an 8-bit encoding of sensor_msgs/Image: ``bgr8`` for pictures whose colours are as
            their format says, which all files are; ``rgb8`` if red and blue were swapped; a Bayer pattern for a mosaic, whose
            values have one channel.

    Returns:
        [H, W, 3] uint8, RGB.

    Raises:
        InputError: as for ``decode_stored``.
    """
    mosaic = EIGHT_BIT[encoding].bayer
    pixels = decode_stored(data, read_header(data), cv2.IMREAD_ANYCOLOR if mosaic else cv2.IMREAD_COLOR)
    if pixels.dtype == np.uint16:
        pixels = eight_bits(pixels)
    if mosaic and pixels.ndim == 2:
        check_sides(encoding, *pixels.shape)
        return rows_to_rgb(pixels, encoding)
    if encoding == "rgb8":
        return pixels
    return convert(pixels, cv2.COLOR_BGR2RGB if pixels.ndim == 3 else cv2.COLOR_GRAY2RGB)


def decode_stored(data: np.ndarray, header: ImageHeader, colour: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """Decodes a picture to the values that it stores, without its alpha channel.

    Args:
        data: [N] uint8, the content of an image file.
        header: header of the data.
        colour: ``cv2.IMREAD_COLOR`` for three channels, ``cv2.IMREAD_ANYCOLOR`` for one channel of a grey picture.

    Returns:
        [H, W, 3], in the order blue, green, red, or [H, W]; uint8 or uint16.

    Raises:
        InputError: the data are no picture, several ones, or cut off; the header claims far more pixels than they can hold; the
            codec is none of this OpenCV's; the values are no integers of 8 or 16 bits.
    """
    if not header.codec:
        raise InputError(_not_an_image(data))
    if header.several:
        raise InputError(f"{header.codec} with several pictures, such as an animation: save the one to use as a separate file")
    if header.size and header.size[0] * header.size[1] > SMALL + PIXELS_PER_BYTE * data.size:
        width, height = header.size
        raise InputError(f"{data.size} bytes cannot hold the {width}x{height} pixels that their header claims")
    if header.bits and (header.bits > 16 or header.codec == "JPEG" and header.bits != 8):
        raise InputError(f"{header.codec} of {header.bits}-bit values: {WIDTHS}")
    if not header.unsigned:
        raise InputError(f"{header.codec} of signed or floating-point values: {WIDTHS}")
    if header.codec == "JPEG" and not _has_end(data, header.scan or 2):  # some versions of OpenCV fill the rest with grey
        raise InputError(CUT_OFF)
    if header.orientation_at is not None and header.orientation != UPRIGHT:
        data = _turned_back(data, header.orientation_at)
    try:
        pixels = cv2.imdecode(data, colour | _AS_STORED)
    except cv2.error:  # too many pixels for OpenCV, for instance
        pixels = None
    if pixels is None:
        suffix = OPTIONAL.get(header.codec)
        if suffix and not cv2.haveImageWriter(suffix):
            raise InputError(f"{header.codec} is not decoded by OpenCV {cv2.__version__}")
        raise InputError(f"not an image that can be decoded ({header.codec}, damaged or cut off)")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{header.codec} of {pixels.dtype} values: {WIDTHS}")
    return pixels


def used_bits(values: np.ndarray) -> int:
    """Returns the fewest of 10, 12, 14 and 16 bits that hold all values of a uint16 array."""
    largest = int(values.max())
    return next(bits for bits in DEPTHS if largest < 2**bits)


def eight_bits(values: np.ndarray) -> np.ndarray:
    """Returns the upper eight of the bits that a picture uses.

    A camera of twelve bits fills the lower bits of 16-bit values: by the upper eight alone its pictures would be nearly black.
    Only the picture itself decides, so that a file, a recording and a node give equal pixels in any order: a dark picture of
    that camera, without a value above 1023, is brighter than its others.

    Args:
        values: uint16 array of any shape, not empty.

    Returns:
        uint8 array of this shape.
    """
    return (values >> (used_bits(values) - 8)).astype(np.uint8)


def _has_end(data: np.ndarray, scan: int) -> bool:
    """Returns whether a JPEG's end-of-image marker follows the beginning of its compressed pixels, which never contain it."""
    near_end = max(scan, data.size - 1024)
    return _EOI in data[near_end:].tobytes() or _EOI in data[scan:].tobytes()


def _turned_back(data: np.ndarray, offset: int) -> np.ndarray:
    """Returns a TIFF whose orientation is ``UPRIGHT``: OpenCV has no flag that makes it ignore this tag."""
    data = data.copy()
    data[offset : offset + 2] = (UPRIGHT, 0) if data[0] == ord("I") else (0, UPRIGHT)
    return data


def _not_an_image(data: np.ndarray) -> str:
    head = data[:64].tobytes()
    if not head:
        return "not an image that can be decoded (it is empty)"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the image: `git lfs pull` fetches it"
    return "not an image that can be decoded"
