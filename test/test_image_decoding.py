# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures whose headers lie are refused before memory is spent on them."""

import resource

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.errors import InputError
from fcis_ros.image_decoding import claimed_size, decode


def encoded(kind, height=20, width=30):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(f".{kind}", pixels)[1].tobytes()


def array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_claimed_size_equals_the_image(kind):
    assert claimed_size(encoded(kind)) == (30, 20)
    assert decode(array(encoded(kind)), cv2.IMREAD_COLOR).shape == (20, 30, 3)


@pytest.mark.parametrize("head", [b"", b"\x89PNG", b"\xff\xd8", b"\xff\xd8\xff\xc0\0", b"BM" + bytes(60)])
def test_claimed_size_without_header_is_none(head):
    assert claimed_size(head) is None


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
        decode(lying(kind, side), cv2.IMREAD_COLOR)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB; the pixels would take 2.7 GB and more


def test_decode_large_uniform_image_is_read():
    black = cv2.imencode(".png", np.zeros((2160, 3840, 3), np.uint8))[1]
    assert decode(black, cv2.IMREAD_COLOR).shape == (2160, 3840, 3)


@given(st.data(), st.sampled_from(["png", "jpg", "bmp", "tiff", "webp"]))
def test_decode_damaged_image_is_refused_or_decoded(data, kind):
    raw = bytearray(encoded(kind))
    for _ in range(data.draw(st.integers(0, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode(array(bytes(raw[: data.draw(st.integers(0, len(raw)))])), cv2.IMREAD_COLOR).ndim == 3
    except InputError as error:
        assert "\n" not in str(error)
