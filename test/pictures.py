# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures as the field has them, in bytes: with orientation, in several pages, in deep values."""

import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np


def smooth(height: int = 36, width: int = 48, seed: int = 0) -> np.ndarray:
    """A colourful picture without symmetry, [H, W, 3] uint8, RGB."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(kind: str, rgb: np.ndarray | None = None) -> bytes:
    """An image file of an RGB or grey picture, by OpenCV; ``kind`` is a suffix without the dot."""
    rgb = smooth() if rgb is None else rgb
    return cv2.imencode(f".{kind}", rgb[..., ::-1] if rgb.ndim == 3 else rgb)[1].tobytes()


def array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def compressed(data: bytes, format_: str = "jpeg") -> SimpleNamespace:
    """A stand-in for a sensor_msgs/CompressedImage."""
    return SimpleNamespace(data=data, format=format_)


def exif(orientation: int, order: str = "<") -> bytes:
    """A TIFF structure with nothing but an orientation."""
    entry = struct.pack(order + "HHIHH", 274, 3, 1, orientation, 0)
    return {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HIH", 42, 8, 1) + entry + bytes(4)


def turned_jpeg(orientation: int, data: bytes | None = None, order: str = "<") -> bytes:
    """A JPEG with an EXIF orientation."""
    data = data or encoded("jpg")
    content = b"Exif\0\0" + exif(orientation, order)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + data[2:]


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def turned_png(orientation: int) -> bytes:
    data = encoded("png")
    return data[:33] + png_chunk(b"eXIf", exif(orientation)) + data[33:]


def turned_webp(orientation: int, rgb: np.ndarray) -> bytes:
    """A lossless WebP in the extended format, with an EXIF orientation."""
    webp = cv2.imencode(".webp", rgb[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    picture = webp[webp.index(b"VP8L") :]
    height, width = rgb.shape[:2]
    extended = b"VP8X" + struct.pack("<II", 10, 0x08) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    content = exif(orientation)
    chunks = b"WEBP" + extended + picture + b"EXIF" + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def tiff(
    pages: list[np.ndarray], orientation: int = 1, order: str = "<", kinds: tuple[int, ...] = (), sample: int = 1
) -> bytes:
    """An uncompressed TIFF.

    Args:
        pages: [H, W] or [H, W, 3] arrays, RGB.
        orientation: tag 274 of all pages.
        order: ``<`` or ``>``, byte order.
        kinds: NewSubfileType of the pages; 0 where it is shorter.
        sample: SampleFormat, 1 for unsigned integers, 3 for floating point.
    """
    data = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 0)
    link = 4
    for index, page in enumerate(pages):
        channels = 1 if page.ndim == 2 else page.shape[2]
        bits, bits_at = page.dtype.itemsize * 8, len(data)
        data += struct.pack(order + "H", bits) * channels + bytes(8)
        pixels_at = len(data)
        pixels = page.astype(page.dtype.newbyteorder(order)).tobytes()
        data += pixels + bytes(len(pixels) % 2)
        data = data[:link] + struct.pack(order + "I", len(data)) + data[link + 4 :]
        tags = [
            (254, 4, 1, kinds[index] if index < len(kinds) else 0), (256, 4, 1, page.shape[1]), (257, 4, 1, page.shape[0]),
            (258, 3, channels, bits_at if channels > 2 else bits), (259, 3, 1, 1), (262, 3, 1, 2 if channels == 3 else 1),
            (273, 4, 1, pixels_at), (274, 3, 1, orientation), (277, 3, 1, channels), (278, 4, 1, page.shape[0]),
            (279, 4, 1, len(pixels)), (284, 3, 1, 1), (339, 3, 1, sample),
        ]  # fmt: skip
        data += struct.pack(order + "H", len(tags))
        for tag, kind, count, value in tags:
            short = kind == 3 and count == 1
            data += struct.pack(order + ("HHIHH" if short else "HHII"), tag, kind, count, *((value, 0) if short else (value,)))
        link = len(data)
        data += bytes(4)
    return data


def gif(pictures: int, width: int = 4, height: int = 4) -> bytes:
    """A GIF of grey pictures with two colours; every picture is stored uncompressed, pixels 0."""
    data = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\x00\x00\x00\xff\xff\xff"
    for _ in range(pictures):
        data += b"\x21\xf9\x04\x00\x0a\x00\x00\x00"  # an extension: how long it is shown
        # Codes of three bits: clear (4) before every second pixel keeps them so; 5 ends.
        codes = [code for _ in range(width * height // 2) for code in (4, 0, 0)] + [5]
        bits = sum(code << (3 * index) for index, code in enumerate(codes))
        packed = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
        data += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02" + bytes([len(packed)]) + packed + b"\0"
    return data + b"\x3b"


def animated_png() -> bytes:
    """A PNG that says it has two frames."""
    data = encoded("png")
    return data[:33] + png_chunk(b"acTL", struct.pack(">II", 2, 0)) + data[33:]


def animated_webp() -> bytes:
    """The structure of a WebP with two frames."""
    frames = 2 * (b"ANMF" + struct.pack("<I", 16) + bytes(16))
    chunks = b"WEBP" + b"VP8X" + struct.pack("<II", 10, 2) + bytes(6) + frames
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks
