# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Codec, size, orientation and number of pictures, from the first bytes, damaged or not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import animated_png, animated_webp, array, encoded, gif, smooth, tiff, turned_jpeg, turned_png, turned_webp

from fcis_ros.image_headers import ImageHeader, read_header


@pytest.mark.parametrize(
    ("kind", "codec", "size", "bits"),
    [
        ("jpg", "JPEG", (48, 36), 8), ("png", "PNG", (48, 36), 8), ("tiff", "TIFF", None, 8), ("bmp", "BMP", None, None),
        ("webp", "WebP", None, None), ("ppm", "PNM", None, None), ("jp2", "JPEG 2000", None, None),
    ],
)  # fmt: skip
def test_read_header_file_of_opencv_is_known(kind, codec, size, bits):
    header = read_header(array(encoded(kind)))
    assert (header.codec, header.size, header.bits, header.several) == (codec, size, bits, False)
    assert header.orientation == 1


@pytest.mark.parametrize(
    ("head", "codec"),
    [
        (b"\0\0\0\x18ftypheic", "HEIC"), (b"\0\0\0\x18ftypmif1", "HEIC"), (b"\0\0\0\x1cftypavif", "AVIF"), (b"8BPS\0\1", "PSD"),
        (b"\xff\x0a\0\0", "JPEG XL"), (b"", ""), (b"\x89PNG", ""), (b"\xff\xd8", ""), (b"<html>", ""),
        (b"RIFF\0\0\0\0WAVE", ""),
    ],
)  # fmt: skip
def test_read_header_other_content_is_told_apart(head, codec):
    assert read_header(array(head)) == ImageHeader(codec)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", "<>")
def test_read_header_orientation_is_found_in_every_format(orientation, order):
    assert read_header(array(turned_jpeg(orientation, order=order))).orientation == orientation
    assert read_header(array(turned_png(orientation))).orientation == orientation
    assert read_header(array(turned_webp(orientation, smooth()))).orientation == orientation
    header = read_header(array(tiff([smooth()], orientation, order)))
    assert header.orientation == orientation and header.orientation_at


@pytest.mark.parametrize(
    ("data", "several"),
    [
        (gif(1), False), (gif(2), True), (animated_png(), True), (animated_webp(), True), (b"\0\0\0\x1cftypavis", True),
        (tiff([smooth(), smooth()]), True),
        (tiff([smooth(), smooth(5, 7)], kinds=(0, 1)), False),  # a thumbnail
        (tiff([smooth(), smooth()[..., 0]], kinds=(0, 4)), False),  # a transparency mask
        (tiff([smooth(), smooth()], kinds=(2, 2)), True),  # pages
    ],
    ids=["gif", "animated gif", "animated png", "animated webp", "avif", "pages", "thumbnail", "mask", "marked pages"],
)  # fmt: skip
def test_read_header_several_pictures_are_noticed(data, several):
    assert read_header(array(data)).several is several


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 16), (np.float32, 32)])
@pytest.mark.parametrize("colour", [False, True])
def test_read_header_tiff_has_its_bits(dtype, bits, colour):
    pixels = smooth().astype(dtype)
    assert read_header(array(tiff([pixels if colour else pixels[..., 0]]))).bits == bits


def test_read_header_jpeg_with_bytes_between_segments_has_its_size():
    data = encoded("jpg")
    assert read_header(array(data[:20] + b"junk" + data[20:])).size == (48, 36)


def test_read_header_tiff_that_links_to_itself_ends():
    data = bytearray(tiff([smooth()]))
    data[-4:] = data[4:8]
    assert read_header(array(bytes(data))).several


@given(st.data())
def test_read_header_any_bytes_give_a_header(data):
    starts = [
        encoded("jpg"),
        turned_png(3),
        turned_webp(6, smooth()),
        tiff([smooth(4, 4)] * 2, order=">"),
        gif(3),
        b"\xff\xd8\xff",
    ]
    raw = bytearray(data.draw(st.sampled_from(starts)))
    for _ in range(data.draw(st.integers(0, 20))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))] + data.draw(st.binary(max_size=64))
    header = read_header(array(bytes(raw)))
    assert 1 <= header.orientation <= 8 and isinstance(header.several, bool)
