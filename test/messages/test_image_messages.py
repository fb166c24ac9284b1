# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import sys
import types

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.errors import InputError
from fcis_ros.messages import image_messages

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def message(data: np.ndarray, encoding: str, width: int, height: int, step: int | None = None, big: bool = False):
    raw = np.ascontiguousarray(data).tobytes()
    return types.SimpleNamespace(
        data=raw, encoding=encoding, width=width, height=height, step=step or len(raw) // max(height, 1), is_bigendian=big
    )


def padded(pixels: np.ndarray, extra: int) -> np.ndarray:
    """[H, bytes] rows with ``extra`` bytes of rubbish behind each."""
    rows = pixels.reshape(pixels.shape[0], -1)
    return np.hstack([rows, np.full((len(rows), extra), 99, rows.dtype)])


PIXELS = np.array([[RED, GREEN, BLUE, (10, 20, 30)]] * 4, np.uint8)


@pytest.mark.parametrize(("largest", "bits"), [(0, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16384, 16)])
@pytest.mark.parametrize("big", [False, True])
def test_to_rgb_fewer_bits_are_not_dark(largest, bits, big):
    """The fewest of 10, 12, 14 and 16 bits that hold the largest value are spread over 0..255."""
    values = np.full((4, 4), largest // 2, np.uint16)
    values[1, 2] = largest
    result = image_messages.to_rgb(message(values.astype(">u2" if big else "<u2").view(np.uint8), "mono16", 4, 4, big=big))
    assert result[1, 2, 0] == largest * 256 // 2**bits and result[0, 0, 0] == largest // 2 * 256 // 2**bits


def test_to_rgb_depth_is_of_the_image_alone():
    """In any order, and beside brighter images, equal messages give equal pixels."""
    values = np.full((4, 4), 800, "<u2")

    def shown(largest):
        values[0, 0] = largest
        return image_messages.to_rgb(message(values.view(np.uint8), "mono16", 4, 4))[3, 3, 0]

    assert [shown(largest) for largest in (1000, 4000, 1000)] == [800 // 4, 800 // 16, 800 // 4]


def compressed(data: bytes, kind: str = "jpeg"):
    return types.SimpleNamespace(data=data, format=kind)


def picture(kind: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(f".{kind}", pixels)[1].tobytes()


def test_compressed_to_rgb_decodes_formats():
    def decoded(kind, pixels, name):
        return image_messages.compressed_to_rgb(compressed(picture(kind, pixels), name))

    assert np.array_equal(decoded("png", PIXELS[..., ::-1], "rgb8; png compressed bgr8"), PIXELS)
    grey = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert np.array_equal(decoded("png", grey, "png"), np.dstack([grey] * 3))
    deep = np.arange(0, 4096, 256, dtype=np.uint16).reshape(4, 4)
    assert np.array_equal(decoded("png", deep, "16UC1; png compressed"), np.dstack([deep >> 4] * 3))
    smooth = np.full((32, 32, 3), (10, 80, 200), np.uint8)
    assert np.abs(decoded("jpg", smooth[..., ::-1], "jpeg").astype(int) - smooth).max() <= 3


@pytest.mark.parametrize(
    ("data", "kind", "named"),
    [
        (b"", "jpeg", "it is empty"),
        (b"no picture at all", "jpeg", "not an image that can be decoded"),
        (picture("jpg", np.random.default_rng(0).integers(0, 255, (99, 99, 3)).astype(np.uint8))[:4000], "jpeg", "end before"),
        (picture("png", PIXELS), "16UC1; compressedDepth png", "depth is not a picture"),
        (b"\0\0\0\1\x67\x42\x80\x1e", "h264", r"'h264'.: video .H.264., of which single messages are no pictures"),
        (b"\x12\0\x0a\x0a", "rgb8; hevc", r"video .H.265."),
        (b"\0\0\0\1\x67\x42\x80\x1e", "", r"video .H.264 or H.265."),
        (bytes(99), "nv12", r"raw pixels .nv12."),
        (b"\x04\0\0\0\x04\0\0\0\0\x0c", "bgr8; zstd", "compressed by zstd_image_transport"),
        (b"<html>", "jpeg", "not an image that can be decoded$"),
    ],
)
def test_compressed_to_rgb_bad_picture_is_named(data, kind, named):
    with pytest.raises(InputError, match=named):
        image_messages.compressed_to_rgb(compressed(data, kind))


@pytest.mark.parametrize("sixteen", [False, True])
@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize(
    "encoding", ["rgb", "bgr", "rgba", "bgra", "mono", *(f"bayer_{name}" for name in ("rggb", "bggr", "gbrg", "grbg"))]
)
def test_compressed_to_rgb_lossless_message_of_image_transport_equals_the_raw_image(encoding, kind, sixteen):
    """compressed_image_transport converts colours to BGR for PNG, and nothing for TIFF, before it calls OpenCV's encoder."""
    encoding += "16" if sixteen else "8"
    rows, _, _ = sent_and_expected(encoding, np.random.default_rng(3), False)
    channels = rows.shape[1] // 8 // (2 if sixteen else 1)
    pixels = np.ascontiguousarray(rows).view(np.uint16 if sixteen else np.uint8).reshape(6, 8, channels)
    target = ""
    if kind == "png" and channels > 1:
        target = "bgr16" if sixteen else "bgr8"
        pixels = pixels[..., :3] if encoding.startswith("bgr") else pixels[..., 2::-1]
    sent = compressed(picture(kind, pixels), f"{encoding}; {kind} compressed {target}")
    assert np.array_equal(image_messages.compressed_to_rgb(sent), image_messages.to_rgb(message(rows, encoding, 8, 6)))


@pytest.mark.parametrize(
    "format_", ["jpeg", "rgb8; jpeg compressed bgr8", "rgb8;jpeg compressed rgb8", "rgb8; jpeg compressed", "png", ""]
)
@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_compressed_to_rgb_colours_are_those_of_the_file(format_, kind):
    """Writers without OpenCV name RGB, whose pixels they gave to their encoder in its order."""
    smooth = np.full((32, 32, 3), (10, 80, 200), np.uint8)
    shown = image_messages.compressed_to_rgb(compressed(picture(kind, smooth[..., ::-1]), format_))
    assert np.abs(shown.astype(int) - smooth).max() <= 3


def test_compressed_to_rgb_jpeg_of_a_mosaic_is_demosaiced():
    """As Humble sends it; later distributions send a grey picture, "mono8", or a coloured one, which stay what they are."""
    mosaic = np.zeros((32, 32), np.uint8)
    mosaic[::2, ::2] = 200  # red only
    grey = picture("jpg", mosaic)
    red = image_messages.compressed_to_rgb(compressed(grey, "bayer_rggb8; jpeg compressed "))[4:-4, 4:-4]
    assert red[..., 0].mean() > 150 and red[..., 1:].mean() < 50
    stays = image_messages.compressed_to_rgb(compressed(grey, "bayer_rggb8; jpeg compressed mono8"))
    assert np.array_equal(stays[..., 0], stays[..., 2])
    coloured = picture("png", np.tile(PIXELS, (4, 4, 1)))
    kept = image_messages.compressed_to_rgb(compressed(coloured, "bayer_rggb8; png compressed "))
    assert np.array_equal(kept[..., ::-1], np.tile(PIXELS, (4, 4, 1)))


def test_compressed_to_rgb_zeros_behind_the_picture_are_padding():
    """Buffers of USB cameras are as large as the largest frame."""
    jpeg = picture("jpg", np.tile(PIXELS, (8, 8, 1)))
    whole = image_messages.compressed_to_rgb(compressed(jpeg))
    assert np.array_equal(image_messages.compressed_to_rgb(compressed(jpeg + bytes(500_000))), whole)
    with pytest.raises(InputError, match="end before"):
        image_messages.compressed_to_rgb(compressed(jpeg[:-30] + bytes(500_000)))


@given(st.data(), st.sampled_from(["jpg", "png"]))
def test_compressed_to_rgb_damaged_picture_is_image_or_input_error(data, kind):
    raw = bytearray(picture(kind, np.tile(PIXELS, (4, 4, 1))))
    for _ in range(data.draw(st.integers(0, 9))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    try:
        assert image_messages.compressed_to_rgb(compressed(bytes(raw[:cut]))).shape[2] == 3
    except InputError as error:
        assert "\n" not in str(error)


def test_to_rgb_rgb8_is_view():
    sent = message(PIXELS, "rgb8", 4, 4)
    assert np.shares_memory(image_messages.to_rgb(sent), np.frombuffer(sent.data, np.uint8))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"encoding": "32FC1"}, "32FC1"),
        ({"encoding": ""}, "''"),
        ({"width": 0}, "0x4 has no pixels"),
        ({"height": 0}, "4x0 has no pixels"),
        ({"step": 11}, "step 11 is too small for 4 pixels of rgb8 .12 bytes."),
        ({"step": 13}, "step 13 x 4 rows is 52 bytes, the data has 48"),
        ({"height": 5}, "step 12 x 5 rows is 60 bytes, the data has 48"),
        ({"data": b""}, "the data has 0"),
        ({"encoding": "nv12", "height": 3, "step": 12}, "even sides"),
        ({"encoding": "yuv422", "width": 3}, "even width"),
        ({"encoding": "bayer_rggb8", "width": 2, "height": 2, "step": 2, "data": b"1234"}, "at least 4x4"),
    ],
)
def test_to_rgb_bad_message_is_named(changes, named, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    sent = message(PIXELS, "rgb8", 4, 4)
    vars(sent).update(changes)
    with pytest.raises(InputError, match=named):
        image_messages.to_rgb(sent)


@given(
    encoding=st.sampled_from([*image_messages.ENCODINGS, "jpeg", ""]),
    width=st.integers(0, 9),
    height=st.integers(0, 9),
    step=st.integers(0, 64),
    size=st.integers(0, 300),
    big=st.booleans(),
)
def test_to_rgb_any_message_is_image_or_input_error(encoding, width, height, step, size, big):
    sent = types.SimpleNamespace(data=bytes(size), encoding=encoding, width=width, height=height, step=step, is_bigendian=big)
    try:
        assert image_messages.to_rgb(sent).shape == (height, width, 3)
    except InputError as error:
        assert "\n" not in str(error)


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["rgb8", "bgr8", "mono8", "mono16"]))
def test_fill_image_is_inverse_of_to_rgb(width, height, encoding):
    depth = () if encoding.startswith("mono") else (3,)
    kind = np.uint16 if encoding == "mono16" else np.uint8
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (height, width, *depth)).astype(kind)
    sent = types.SimpleNamespace()
    image_messages.fill_image(sent, pixels[:, ::-1], encoding)  # not contiguous
    assert (sent.height, sent.width, sent.step) == (height, width, pixels[0].nbytes)
    back = image_messages.to_rgb(sent)
    expected = pixels[:, ::-1]
    if encoding == "bgr8":
        expected = expected[..., ::-1]
    elif depth == ():
        if encoding == "mono16":
            expected = expected >> next(bits for bits in (2, 4, 6, 8) if expected.max() < 2 ** (8 + bits))
        expected = np.dstack([expected] * 3)
    assert np.array_equal(back, expected)


# Every encoding against NumPy


def yuv_to_rgb(y, u, v):
    """ITU-R BT.601, studio swing; float."""
    y, u, v = 1.164384 * np.maximum(y.astype(float) - 16, 0), u.astype(float) - 128, v.astype(float) - 128
    return np.stack([y + 1.596027 * v, y - 0.391762 * u - 0.812968 * v, y + 2.017232 * u], axis=-1).clip(0, 255)


def demosaic(mosaic, pattern):
    """Bilinear: a colour that a site lacks is the mean of its neighbours that have it; float, without the border."""
    height, width = mosaic.shape
    site = np.array([[pattern[2 * (y % 2) + x % 2] for x in range(width)] for y in range(height)])
    result = np.zeros((height, width, 3))
    for channel, colour in enumerate("rgb"):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                around = [(y, x)] if site[y, x] == colour else [
                    (y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if site[y + dy, x + dx] == colour
                ]  # fmt: skip
                if colour == "g" and site[y, x] != "g":  # the four next to it; the diagonals are not green
                    assert len(around) == 4
                result[y, x, channel] = np.mean([mosaic[pixel] for pixel in around])
    return result


def sent_and_expected(encoding, rng, big):
    """Random rows of bytes of an 8x6 image in this encoding; what they show (float); how far off one may be."""
    height, width = 6, 8
    if encoding in ("nv12", "nv21"):
        luma, chroma = rng.integers(0, 256, (height, width)), rng.integers(0, 256, (height // 2, width // 2, 2))
        u, v = (chroma[..., i].repeat(2, axis=0).repeat(2, axis=1) for i in ((0, 1) if encoding == "nv12" else (1, 0)))
        rows = np.vstack([luma, chroma.reshape(height // 2, width)]).astype(np.uint8)
        return rows, yuv_to_rgb(luma, u, v), 2
    if encoding in ("yuv422", "uyvy", "yuv422_yuy2", "yuyv"):
        luma, chroma = rng.integers(0, 256, (height, width)), rng.integers(0, 256, (height, width // 2, 2))
        pairs = np.stack([luma, chroma.reshape(height, width)], axis=-1)  # u0 v0 u1 v1 ... next to the luma of each pixel
        rows = pairs if encoding in ("yuv422_yuy2", "yuyv") else pairs[..., ::-1]
        u, v = (chroma[..., i].repeat(2, axis=1) for i in (0, 1))
        return rows.reshape(height, -1).astype(np.uint8), yuv_to_rgb(luma, u, v), 2
    sixteen = encoding.endswith(("16", "16UC1", "16UC3"))
    channels = 3 if "3" in encoding or encoding in ("rgb8", "bgr8", "rgb16", "bgr16") else 1
    channels = 4 if encoding in ("rgba8", "bgra8", "8UC4", "rgba16", "bgra16") else channels
    values = rng.integers(0, 65536 if sixteen else 256, (height, width, channels))
    values[0, 0] = 65535 if sixteen else 255  # all sixteen bits are in use
    rows = values.astype((">u2" if big else "<u2") if sixteen else "u1").reshape(height, -1).view(np.uint8)
    seen = values >> 8 if sixteen else values
    if encoding.startswith("bayer"):
        return rows, demosaic(seen[..., 0], encoding.split("_")[1][:4]), 1
    if channels == 1:
        return rows, seen.repeat(3, axis=2), 0
    return rows, seen[..., :3] if encoding.startswith("rgb") else seen[..., 2::-1], 0


@pytest.mark.parametrize("extra", [0, 6])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", image_messages.ENCODINGS)
def test_to_rgb_every_encoding_agrees_with_numpy(encoding, big, extra):
    rows, expected, tolerance = sent_and_expected(encoding, np.random.default_rng(5), big)
    found = image_messages.to_rgb(message(padded(rows, extra), encoding, 8, 6, step=rows.shape[1] + extra, big=big)).astype(
        float
    )
    inner = np.s_[1:-1, 1:-1] if encoding.startswith("bayer") else np.s_[:, :]
    assert found.shape == (6, 8, 3) and np.abs(found - expected)[inner].max() <= tolerance
    assert expected[inner].std() > 20


@pytest.mark.parametrize(
    ("encoding", "depth", "expected"),
    [("bgr8", 3, [3, 2, 1]), ("rgb8", 3, [1, 2, 3]), ("bgra8", 4, [3, 2, 1]), ("mono8", 1, [1, 1, 1])],
)
def test_to_rgb_one_pixel_is_converted(encoding, depth, expected):
    data = np.array([[[1, 2, 3, 4]]], np.uint8)[..., :depth]
    assert image_messages.to_rgb(message(padded(data, 0), encoding, 1, 1)).tolist() == [[expected]]


# What of our encodings every cv_bridge converts to rgb8; docs/node.md says what of the others.
BRIDGED = ("rgb8", "bgr8", "rgba8", "bgra8", "mono8", "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8", "yuv422")


@pytest.mark.cv_bridge
@pytest.mark.parametrize("encoding", BRIDGED)
def test_to_rgb_equals_cv_bridge(encoding):
    """Without padding, of which cv_bridge takes no notice."""
    import cv_bridge

    rows, _, _ = sent_and_expected(encoding, np.random.default_rng(5), False)
    sent = message(rows, encoding, 8, 6)
    assert np.array_equal(image_messages.to_rgb(sent), cv_bridge.CvBridge().imgmsg_to_cv2(sent, "rgb8"))


@pytest.mark.cv_bridge
def test_to_rgb_other_encoding_uses_cv_bridge():
    """One that is in its list and not in ours, or else one that it refuses, too."""
    sent = message(np.zeros((6, 24), np.float32).view(np.uint8), "32FC3", 8, 6)
    with pytest.raises(InputError, match="encoding '32FC3': "):
        image_messages.to_rgb(sent)


def test_to_rgb_unlisted_encoding_calls_cv_bridge(monkeypatch):
    """With a double of it: what it gives is taken, what it raises is named in one line."""

    class CvBridge:
        def imgmsg_to_cv2(self, sent, wanted):
            if sent.encoding == "nv24":
                return PIXELS
            raise ValueError("no such\nthing")

    monkeypatch.setitem(sys.modules, "cv_bridge", types.SimpleNamespace(CvBridge=CvBridge))
    assert image_messages.to_rgb(message(PIXELS, "nv24", 4, 4)) is PIXELS
    with pytest.raises(InputError, match=r"^image: encoding '32FC1': no such$"):
        image_messages.to_rgb(message(PIXELS, "32FC1", 4, 4))
