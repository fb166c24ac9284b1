# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Format strings as drivers and image_transport write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.encodings import EIGHT_BIT
from fcis_ros.messages.compressed_formats import codec_input, no_picture


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("jpeg", "bgr8"), ("png", "bgr8"), ("", "bgr8"), ("jpg; something", "bgr8"),
        ("rgb8; jpeg compressed bgr8", "bgr8"), ("rgb8;jpeg compressed rgb8", "bgr8"), ("rgb8;jpeg compressed", "bgr8"),
        ("rgb8; png compressed bgr8", "bgr8"), ("rgb16; png compressed bgr16", "bgr8"), ("mono16; png compressed ", "bgr8"),
        ("rgb8; tiff compressed ", "rgb8"), ("rgba16; tiff compressed ", "rgb8"), ("RGB8; TIFF compressed", "rgb8"),
        ("bgr8; tiff compressed ", "bgr8"), ("mono8; tiff compressed ", "bgr8"), ("rgb8; tiff compressed rgb8", "bgr8"),
        ("bayer_rggb8; png compressed ", "bayer_rggb8"), ("bayer_gbrg16; tiff compressed ", "bayer_gbrg8"),
        ("bayer_rggb8; jpeg compressed ", "bayer_rggb8"), ("bayer_rggb8; jpeg compressed mono8", "bgr8"),
        ("bayer_nonsense; png compressed ", "bgr8"),
    ],
)  # fmt: skip
def test_codec_input_follows_the_format(text, encoding):
    assert codec_input(text) == encoding


@pytest.mark.parametrize(
    ("text", "head", "says"),
    [
        ("h264", b"\0\0\0\1", "video (H.264)"), ("H265", b"", "video (H.265)"), ("bgr8; av1", b"", "video (AV1)"),
        ("", b"\0\0\1\x67", "video (H.264 or H.265)"), ("nv12", b"", "raw pixels (nv12)"), ("yuv422_yuy2", b"", "raw pixels"),
        ("rgb8; zstd", b"", "zstd_image_transport"), ("rgb8; jpeg compressed bgr8", b"", None), ("jpeg", b"", None),
    ],
)  # fmt: skip
def test_no_picture_names_what_is_there(text, head, says):
    found = no_picture(text, head)
    assert found is None if says is None else found.startswith(says) or says in found


@given(st.text(max_size=60))
def test_codec_input_any_text_is_an_encoding(text):
    assert codec_input(text) in EIGHT_BIT and "\n" not in (no_picture(text, b"") or "")
