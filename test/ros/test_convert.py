import types

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcis_ros.errors import InputError
from fcis_ros.ros import convert

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


@pytest.mark.parametrize("extra", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("rgb8", PIXELS),
        ("bgr8", PIXELS[..., ::-1]),
        ("8UC3", PIXELS[..., ::-1]),
        ("rgba8", np.dstack([PIXELS, np.full((4, 4), 7, np.uint8)])),
        ("bgra8", np.dstack([PIXELS[..., ::-1], np.full((4, 4), 7, np.uint8)])),
        ("8UC4", np.dstack([PIXELS[..., ::-1], np.full((4, 4), 7, np.uint8)])),
    ],
)
def test_colour_orders(encoding, data, extra):
    result = convert.to_rgb(message(padded(data, extra), encoding, 4, 4))
    assert result.dtype == np.uint8 and np.array_equal(result, PIXELS)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey(encoding):
    grey = np.arange(16, dtype=np.uint8).reshape(4, 4)
    result = convert.to_rgb(message(padded(grey, 3), encoding, 4, 4))
    assert np.array_equal(result, np.dstack([grey] * 3))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("encoding", "shape"), [("mono16", (4, 4)), ("16UC1", (4, 4)), ("rgb16", (4, 4, 3)), ("bgr16", (4, 4, 3))]
)
def test_sixteen_bits_keep_the_upper_eight_in_either_byte_order(encoding, shape, big):
    values = (np.arange(np.prod(shape)).reshape(shape) * 1201 + 255).astype(np.uint16)
    data = values.astype(">u2" if big else "<u2").view(np.uint8)
    result = convert.to_rgb(message(data, encoding, 4, 4, big=big))
    upper = (values >> 8).astype(np.uint8)
    expected = np.dstack([upper] * 3) if upper.ndim == 2 else upper[..., ::-1] if encoding == "bgr16" else upper
    assert np.array_equal(result, expected)


@pytest.mark.parametrize(("largest", "bits"), [(0, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16384, 16)])
@pytest.mark.parametrize("big", [False, True])
def test_a_camera_of_fewer_bits_is_not_dark(largest, bits, big):
    """The fewest of 10, 12, 14 and 16 bits that hold the largest value are spread over 0..255."""
    values = np.full((4, 4), largest // 2, np.uint16)
    values[1, 2] = largest
    result = convert.to_rgb(message(values.astype(">u2" if big else "<u2").view(np.uint8), "mono16", 4, 4, big=big))
    assert result[1, 2, 0] == largest * 256 // 2**bits and result[0, 0, 0] == largest // 2 * 256 // 2**bits


def compressed(data: bytes, kind: str = "jpeg"):
    return types.SimpleNamespace(data=data, format=kind)


def picture(kind: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(f".{kind}", pixels)[1].tobytes()


def test_compressed_pictures():
    def decoded(kind, pixels, name):
        return convert.compressed_to_rgb(compressed(picture(kind, pixels), name))

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
        (b"", "jpeg", "not an image that can be decoded .0 bytes."),
        (b"no picture at all", "jpeg", "not an image that can be decoded"),
        (picture("jpg", np.random.default_rng(0).integers(0, 255, (99, 99, 3)).astype(np.uint8))[:4000], "jpeg", "end before"),
        (picture("png", PIXELS), "16UC1; compressedDepth png", "depth is not a picture"),
    ],
)
def test_bad_compressed_picture_is_named(data, kind, named):
    with pytest.raises(InputError, match=named):
        convert.compressed_to_rgb(compressed(data, kind))


@settings(deadline=None, max_examples=200)
@given(st.data(), st.sampled_from(["jpg", "png"]))
def test_damaged_pictures_give_an_image_or_an_input_error(data, kind):
    raw = bytearray(picture(kind, np.tile(PIXELS, (4, 4, 1))))
    for _ in range(data.draw(st.integers(0, 9))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    try:
        assert convert.compressed_to_rgb(compressed(bytes(raw[:cut]))).shape[2] == 3
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("colour", [RED, GREEN, BLUE])
def test_bayer_mosaic_of_one_colour(pattern, bits, colour):
    """A mosaic whose red (green, blue) sites alone are lit is a red (green, blue) picture."""
    channel = "rgb"["rgb".index("rgb"[colour.index(255)])]
    tile = np.array([[255 if letter == channel else 0 for letter in row] for row in (pattern[:2], pattern[2:])])
    mosaic = np.tile(tile, (4, 4)).astype(np.uint8)
    data = mosaic if bits == 8 else (mosaic.astype("<u2") << 8)
    result = convert.to_rgb(message(data, f"bayer_{pattern}{bits}", 8, 8))
    inner = result[2:-2, 2:-2].reshape(-1, 3)
    assert inner[:, colour.index(255)].min() == 255
    assert np.delete(inner, colour.index(255), axis=1).max() == 0


@pytest.mark.parametrize(("encoding", "luma"), [("yuv422", 1), ("uyvy", 1), ("yuv422_yuy2", 0), ("yuyv", 0)])
def test_yuv422_grey_ramp(encoding, luma):
    data = np.full((2, 4, 2), 128, np.uint8)
    data[:, :, luma] = [16, 80, 160, 235]
    result = convert.to_rgb(message(padded(data, 4), encoding, 4, 2))
    expected = [round((value - 16) * 255 / 219) for value in (16, 80, 160, 235)]
    assert np.abs(result[0].astype(int) - np.array(expected)[:, None]).max() <= 1


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
@pytest.mark.parametrize("extra", [0, 6])
def test_planar_colour(encoding, extra):
    """The chroma order tells blue from red."""
    luma = np.full((4, 4), 81, np.uint8)
    u, v = 90, 240  # red in BT.601
    chroma = np.tile([u, v] if encoding == "nv12" else [v, u], (2, 2)).astype(np.uint8)
    result = convert.to_rgb(message(padded(np.vstack([luma, chroma]), extra), encoding, 4, 4, step=4 + extra))
    assert np.abs(result.astype(int) - RED).max() <= 3


def test_rgb8_is_a_view():
    sent = message(PIXELS, "rgb8", 4, 4)
    assert np.shares_memory(convert.to_rgb(sent), np.frombuffer(sent.data, np.uint8))


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
def test_bad_message_is_named(changes, named, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv_bridge", None)
    sent = message(PIXELS, "rgb8", 4, 4)
    vars(sent).update(changes)
    with pytest.raises(InputError, match=named):
        convert.to_rgb(sent)


@settings(deadline=None, max_examples=300)
@given(
    encoding=st.sampled_from([*convert.ENCODINGS, "jpeg", ""]),
    width=st.integers(0, 9),
    height=st.integers(0, 9),
    step=st.integers(0, 64),
    size=st.integers(0, 300),
    big=st.booleans(),
)
def test_any_message_gives_an_image_or_an_input_error(encoding, width, height, step, size, big):
    sent = types.SimpleNamespace(data=bytes(size), encoding=encoding, width=width, height=height, step=step, is_bigendian=big)
    try:
        assert convert.to_rgb(sent).shape == (height, width, 3)
    except InputError as error:
        assert "\n" not in str(error)


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["rgb8", "bgr8", "mono8", "mono16"]))
def test_filling_is_the_inverse_of_reading(width, height, encoding):
    depth = () if encoding.startswith("mono") else (3,)
    kind = np.uint16 if encoding == "mono16" else np.uint8
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (height, width, *depth)).astype(kind)
    sent = types.SimpleNamespace()
    convert.fill_image(sent, pixels[:, ::-1], encoding)  # not contiguous
    assert (sent.height, sent.width, sent.step) == (height, width, pixels[0].nbytes)
    back = convert.to_rgb(sent)
    expected = pixels[:, ::-1]
    if encoding == "bgr8":
        expected = expected[..., ::-1]
    elif depth == ():
        if encoding == "mono16":
            expected = expected >> next(bits for bits in (2, 4, 6, 8) if expected.max() < 2 ** (8 + bits))
        expected = np.dstack([expected] * 3)
    assert np.array_equal(back, expected)


def test_opencv_and_ros_bayer_names_are_shifted():
    """The reason for the table in convert.py, checked against OpenCV itself."""
    mosaic = np.tile(np.array([[255, 0], [0, 0]], np.uint8), (4, 4))  # red in the first pixel: ROS calls it rggb
    assert cv2.cvtColor(mosaic, cv2.COLOR_BayerBG2RGB)[3, 3].tolist() == [255, 0, 0]
