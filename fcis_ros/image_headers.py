# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the first bytes of a picture say about it: codec, size, orientation, and whether it holds several pictures.

The content decides, never a file's name. Files may be damaged or hostile: whatever is not there has its default.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

UPRIGHT = 1  # EXIF's orientation of a picture that is stored as it is meant to be seen
UNSIGNED = (None, 1, 4)  # TIFF's SampleFormat of unsigned integers, and of values that nothing is said about
REDUCED, MASK = 1, 4  # bits of TIFF's NewSubfileType: a smaller version of another picture, a transparency mask
MOST_PAGES = 100  # directories of a TIFF file that are looked at
MOST_SEGMENTS = 10_000  # segments of a JPEG and chunks of other files that are looked at; pictures have a few
SIGNATURES = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "BigTIFF"),
    (0, b"MM\0+", "BigTIFF"),
    (0, b"BM", "BMP"),
    (8, b"WEBP", "WebP"),
    (0, b"GIF8", "GIF"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    *((0, b"P%d" % number, "PNM") for number in range(1, 8)),
    (0, b"PF", "PFM"),
    (0, b"Pf", "PFM"),
    (0, b"#?R", "HDR"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    *((4, b"ftyp" + brand, "AVIF") for brand in (b"avif", b"avis")),
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"8BPS", "PSD"),
)


@dataclass(frozen=True)
class ImageHeader:
    """What a picture says about itself.

    Attributes:
        codec: name of the codec, such as ``JPEG``; empty if the data are no picture of a known one.
        size: width and height that a JPEG, PNG or GIF claims, pixels; None for other codecs, and if there is none.
        bits: bits of a value that a JPEG, PNG or TIFF claims; None for other codecs, and if there are none.
        unsigned: whether values are unsigned integers, as far as a TIFF says so.
        orientation: orientation by EXIF or TIFF, 1 to 8.
        orientation_at: offset of TIFF's two bytes of the orientation; None for other codecs, and if there are none.
        several: whether the data hold several pictures (an animation, pages), which is more than one with a thumbnail.
        scan: offset of a JPEG's compressed pixels; None for other codecs, and if there are none.
    """

    codec: str
    size: tuple[int, int] | None = None
    bits: int | None = None
    unsigned: bool = True
    orientation: int = UPRIGHT
    orientation_at: int | None = None
    several: bool = False
    scan: int | None = None


def read_header(data: np.ndarray) -> ImageHeader:
    """Reads the header of a picture.

    Args:
        data: [N] uint8, the content of an image file.
    """
    view = memoryview(data.data)
    head = bytes(view[:16])
    codec = next((name for offset, magic, name in SIGNATURES if head.startswith(magic, offset)), "")
    if codec == "JPEG":
        return _jpeg(view)
    if codec == "PNG":
        return _png(view)
    if codec == "GIF":
        return ImageHeader(codec, struct.unpack("<HH", head[6:10]) if len(head) >= 10 else None, several=_is_animated_gif(view))
    if codec == "WebP":
        return _webp(view)
    if codec == "TIFF":
        return _tiff(view)
    return ImageHeader(codec, several=head[4:12] == b"ftypavis")


def _jpeg(view: memoryview) -> ImageHeader:
    """Walks the marker segments to the compressed pixels; skips what is between them, as decoders do."""
    offset, size, bits, orientation = 2, None, None, UPRIGHT
    for _ in range(MOST_SEGMENTS):
        if offset + 4 > len(view):
            break
        if view[offset] != 0xFF:
            gap = bytes(view[offset : offset + 2**16]).find(b"\xff")
            offset += gap if gap > 0 else 2**16
            continue
        marker = view[offset + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9:  # fill bytes and markers without a segment
            offset += 1 if marker == 0xFF else 2
            continue
        end = offset + 2 + int.from_bytes(view[offset + 2 : offset + 4], "big")
        if marker == 0xDA:  # start of scan
            return ImageHeader("JPEG", size, bits, orientation=orientation, scan=end)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and offset + 9 <= len(view):  # start of frame
            bits, height, width = struct.unpack_from(">BHH", view, offset + 4)
            size = width, height
        elif marker == 0xE1 and bytes(view[offset + 4 : offset + 10]) == b"Exif\0\0":
            orientation = _tiff(view[offset + 10 : end]).orientation
        offset = end
    return ImageHeader("JPEG", size, bits, orientation=orientation)


def _png(view: memoryview) -> ImageHeader:
    size, bits, orientation, several = None, None, UPRIGHT, False
    for kind, start, end in png_chunks(view):
        if kind == b"IHDR" and end - start >= 9:
            width, height, bits = struct.unpack_from(">IIB", view, start)
            size = width, height
        elif kind == b"acTL":
            several = int.from_bytes(view[start : start + 4], "big") > 1
        elif kind == b"eXIf":
            orientation = _tiff(view[start:end]).orientation
        elif kind == b"IDAT":
            break
    return ImageHeader("PNG", size, bits, orientation=orientation, several=several)


def _webp(view: memoryview) -> ImageHeader:
    orientation, frames = UPRIGHT, 0
    for kind, start, end in _chunks(view, 12, "<4sI"):
        frames += kind == b"ANMF"
        if kind == b"EXIF":
            exif = view[start:end]
            orientation = _tiff(exif[6:] if bytes(exif[:6]) == b"Exif\0\0" else exif).orientation
    return ImageHeader("WebP", orientation=orientation, several=frames > 1)


def png_chunks(view: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Yields name, start and end of the chunks of a PNG, as far as their heads are there."""
    return _chunks(view, 8, ">I4s", trailer=4)


def _chunks(view: memoryview, offset: int, layout: str, trailer: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Yields (name, start, end) of the chunks of a PNG or RIFF file, as far as their heads are there."""
    for _ in range(MOST_SEGMENTS):
        if offset + 8 > len(view):
            return
        first, second = struct.unpack_from(layout, view, offset)
        name, length = (first, second) if isinstance(first, bytes) else (second, first)
        yield name, offset + 8, min(offset + 8 + length, len(view))
        offset += 8 + length + (trailer or length % 2)  # RIFF pads to even lengths


def _is_animated_gif(view: memoryview) -> bool:
    if len(view) < 13:
        return False
    offset, pictures = 13 + _palette(view[10]), 0
    while offset + 10 < len(view) and pictures < 2 and view[offset] in (0x21, 0x2C):
        if view[offset] == 0x2C:  # a picture
            pictures += 1
            offset += 11 + _palette(view[offset + 9])
        else:  # an extension
            offset += 2
        while offset < len(view) and view[offset]:
            offset += 1 + view[offset]
        offset += 1
    return pictures > 1


def _palette(flags: int) -> int:
    """Returns the bytes of a GIF's colour table."""
    return 3 * 2 ** (1 + flags % 8) if flags & 0x80 else 0


def _tiff(view: memoryview) -> ImageHeader:
    """Reads the orientation, and counts the pictures in the chain of directories, of a TIFF file or an EXIF block."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(view[:2]))
    if order is None or len(view) < 8:
        return ImageHeader("TIFF")
    bits, sample, orientation, orientation_at, pictures = None, None, UPRIGHT, None, 0
    (directory,) = struct.unpack_from(order + "I", view, 4)
    for number in range(MOST_PAGES):
        if not 8 <= directory <= len(view) - 2:
            break
        (count,) = struct.unpack_from(order + "H", view, directory)
        kind, end = 0, directory + 2 + 12 * count
        if end > len(view):
            break
        for entry in range(directory + 2, end, 12):
            tag, field = struct.unpack_from(order + "HH", view, entry)
            if tag == 254:  # NewSubfileType
                (kind,) = struct.unpack_from(order + "I", view, entry + 8)
            elif tag == 258 and field == 3 and number == 0:  # BitsPerSample
                bits = _first_short(view, entry, order)
            elif tag == 339 and field == 3 and number == 0:  # SampleFormat
                sample = _first_short(view, entry, order)
            elif tag == 274 and field == 3 and number == 0:  # Orientation
                (value,) = struct.unpack_from(order + "H", view, entry + 8)
                orientation, orientation_at = (value if 1 <= value <= 8 else UPRIGHT), entry + 8
        pictures += not kind & (REDUCED | MASK)
        directory = struct.unpack_from(order + "I", view, end)[0] if end + 4 <= len(view) else 0
    return ImageHeader("TIFF", None, bits, sample in UNSIGNED, orientation, orientation_at, pictures > 1)


def _first_short(view: memoryview, entry: int, order: str) -> int | None:
    """Returns the first value of a TIFF entry of 16-bit numbers, which are elsewhere if there are more than two."""
    count, offset = struct.unpack_from(order + "II", view, entry + 4)
    offset = entry + 8 if count <= 2 else offset
    return struct.unpack_from(order + "H", view, offset)[0] if offset + 2 <= len(view) else None
