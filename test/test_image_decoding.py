# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One decoder: pixels as stored, whatever is behind the picture; what is no whole picture is refused with a reason."""

import resource

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import (
    animated_png,
    animated_webp,
    array,
    compressed,
    encoded,
    exif,
    gif,
    smooth,
    tiff,
    turned_jpeg,
    turned_png,
    turned_webp,
)

from fcis_ros.data.frame_sources import read_image
from fcis_ros.errors import InputError
from fcis_ros.image_decoding import decode, eight_bits, used_bits
from fcis_ros.messages.image_messages import compressed_to_rgb, fill_image, to_rgb

LOSSLESS = ("png", "bmp", "tiff", "ppm", "jp2")


@pytest.mark.parametrize("kind", LOSSLESS)
def test_decode_lossless_picture_gives_its_pixels(kind):
    tolerance = 4 if kind == "jp2" else 0  # its encoder rounds
    assert np.abs(decode(array(encoded(kind))).astype(int) - smooth()).max() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
def test_decode_oriented_picture_is_as_stored(orientation):
    jpeg = encoded("jpg")
    assert np.array_equal(decode(array(turned_jpeg(orientation, jpeg))), decode(array(jpeg)))
    assert np.array_equal(decode(array(turned_png(orientation))), smooth())
    assert np.array_equal(decode(array(turned_webp(orientation, smooth()))), smooth())
    for order in "<>":
        data = array(tiff([smooth()], orientation, order))
        before = data.copy()
        assert np.array_equal(decode(data), smooth()) and np.array_equal(data, before)


@pytest.mark.parametrize(
    "behind", [bytes(100), bytes(100_000), b"\xff" * 5000, b"\xff\xd8\xff\xe0 the next frame, cut off" * 90]
)
@pytest.mark.parametrize("kind", ["jpg", *LOSSLESS])
def test_decode_bytes_behind_the_picture_are_padding(kind, behind):
    data = encoded(kind)
    assert np.array_equal(decode(array(data + behind)), decode(array(data)))


@pytest.mark.parametrize("behind", [b"", bytes(100), bytes(100_000)])
@pytest.mark.parametrize("kept", [0.99, 0.5, 0.2])
@pytest.mark.parametrize("kind", ["jpg", "webp", *LOSSLESS])
def test_decode_picture_that_is_cut_off_is_refused(kind, kept, behind):
    data = encoded(kind, np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    if len(behind) > 100 and kind in ("bmp", "ppm", "webp"):
        pytest.skip("what is missing may be zeros: nothing in these formats tells")
    with pytest.raises(InputError, match="the data end before|cut off"):
        decode(array(data[: int(len(data) * kept)] + behind))


def test_decode_cut_jpeg_with_a_whole_thumbnail_is_refused():
    """The end of the thumbnail in its EXIF block is not the picture's."""
    data, thumbnail = encoded("jpg"), b"Exif\0\0" + exif(1) + encoded("jpg", smooth(8, 8))
    data = data[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + data[2:]
    assert decode(array(data)).shape == (36, 48, 3)
    with pytest.raises(InputError, match="end before"):
        decode(array(data[:-200]))


@pytest.mark.parametrize("data", [gif(2), animated_png(), animated_webp(), tiff([smooth(), smooth()])])
def test_decode_several_pictures_are_refused(data):
    with pytest.raises(InputError, match="several pictures"):
        decode(array(data))


def test_decode_tiff_with_a_thumbnail_gives_the_picture():
    assert np.array_equal(decode(array(tiff([smooth(), smooth(5, 7)], kinds=(0, 1)))), smooth())


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16, np.uint32])
def test_decode_other_values_than_unsigned_16_bits_are_refused(kind):
    sample = {"f": 3, "i": 2, "u": 1}[np.dtype(kind).kind]
    for pixels in (smooth(), smooth()[..., 0]):
        with pytest.raises(
            InputError, match=r"TIFF of (32-bit|64-bit|signed or .*) values: only unsigned integers of up to 16"
        ):
            decode(array(tiff([pixels.astype(kind)], sample=sample)))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty"),
        (b"no picture", "not an image that can be decoded$"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (b"\0\0\0\x18ftypheic" + bytes(99), "HEIC is not decoded by OpenCV"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), r"decoded .PNG, damaged or cut off."),
    ],
)
def test_decode_other_content_is_named(data, says):
    with pytest.raises(InputError, match=says):
        decode(array(data))


def lying(kind, side):
    data = bytearray(encoded(kind))
    if kind == "png":
        data[16:24] = side.to_bytes(4, "big") * 2
    else:
        offset = data.index(b"\xff\xc0") + 5
        data[offset : offset + 4] = side.to_bytes(2, "big") * 2
    return array(bytes(data))


@pytest.mark.parametrize(("kind", "side"), [("png", 30_000), ("png", 2**31 - 1), ("jpg", 65_500)])
def test_decode_header_claiming_too_much_is_refused(kind, side):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=rf"bytes cannot hold the {side}x{side} pixels"):
        decode(lying(kind, side))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB; the pixels would take 2.7 GB and more


def test_decode_large_uniform_image_is_read():
    assert decode(array(encoded("png", np.zeros((2160, 3840, 3), np.uint8)))).shape == (2160, 3840, 3)


@given(st.data(), st.sampled_from(["png", "jpg", "bmp", "tiff", "webp"]), st.sampled_from(["bgr8", "rgb8", "bayer_rggb8"]))
def test_decode_damaged_image_is_refused_or_decoded(data, kind, encoding):
    raw = bytearray(encoded(kind))
    for _ in range(data.draw(st.integers(0, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = decode(array(bytes(raw[: data.draw(st.integers(0, len(raw)))])), encoding)
        assert pixels.ndim == 3 and pixels.dtype == np.uint8
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("largest", "bits"), [(0, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16383, 14), (65535, 16)]
)
def test_eight_bits_come_from_the_fewest_that_hold_all_values(largest, bits):
    values = np.array([[0, largest // 2, largest]], np.uint16)
    assert used_bits(values) == bits
    assert eight_bits(values).tolist() == [[0, largest // 2 >> (bits - 8), largest >> (bits - 8)]]


@given(
    kind=st.sampled_from(["png", "tiff", "ppm", "pgm", "bmp"]),
    bits=st.sampled_from([8, 10, 12, 14, 16]),
    height=st.integers(2, 9),
    width=st.integers(2, 9),
    seed=st.integers(0, 99),
    grey=st.booleans(),
)
def test_picture_from_file_message_and_raw_image_has_equal_pixels(tmp_path_factory, kind, bits, height, width, seed, grey):
    """Any format and depth: a file, the same bytes in a compressed message, and the pixels in a raw message."""
    grey = kind == "pgm" or (grey and kind != "ppm")
    bits = 8 if kind == "bmp" else bits
    values = np.random.default_rng(seed).integers(0, 2**bits, (height, width) if grey else (height, width, 3))
    values = values.astype(np.uint8 if bits == 8 else np.uint16)
    data = encoded(kind, values)
    path = tmp_path_factory.mktemp("pictures") / f"a.{kind}"
    path.write_bytes(data)
    raw = compressed(b"")
    if grey:
        fill_image(raw, values, "mono8" if bits == 8 else "mono16")
    else:
        fill_image(raw, values, "rgb8")
        raw.encoding = "rgb8" if bits == 8 else "rgb16"
    expected = to_rgb(raw)
    assert np.array_equal(read_image(path), expected)
    assert np.array_equal(compressed_to_rgb(compressed(data, kind)), expected)
