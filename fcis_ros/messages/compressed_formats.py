# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the ``format`` of a sensor_msgs/CompressedImage says about its data.

compressed_image_transport writes ``SOURCE; CODEC compressed TARGET``: the image's encoding, the codec, and the encoding that
the codec was given, or nothing if that was SOURCE. ``rgb8; jpeg compressed bgr8`` is a JPEG of right colours, as are ``jpeg``
and ``rgb8; jpeg compressed rgb8`` of other writers, most of which encode by other libraries than OpenCV.
"""

import functools
import re

from fcis_ros.encodings import EIGHT_BIT

VIDEO = {
    "h264": "H.264", "avc": "H.264", "x264": "H.264", "h265": "H.265", "hevc": "H.265", "x265": "H.265",
    "av1": "AV1", "vp8": "VP8", "vp9": "VP9", "mpeg1": "MPEG-1", "mpeg2": "MPEG-2", "mpeg4": "MPEG-4", "theora": "Theora",
}  # fmt: skip
ANNEX_B = (b"\0\0\0\1", b"\0\0\1")  # start codes of H.264 and H.265


@functools.lru_cache(maxsize=64)
def codec_input(text: str) -> str:
    """Returns what a picture's codec was given, as ``image_decoding.decode`` takes it.

    ``bgr8``, if the colours are as the codec's standard says. ``rgb8``, if red and blue are swapped: compressed_image_transport
    gives TIFF's encoder the pixels of an RGB image unconverted. A Bayer pattern, if it gave the encoder the mosaic.

    Args:
        text: ``format`` of the message.
    """
    source, _, rest = (part.strip().lower() for part in text.partition(";"))
    match = re.fullmatch(r"(\w+) +compressed *(\w*)", rest)
    codec, target = match.groups() if match else ("", "")
    if target or not match:
        return "bgr8"
    pattern = re.sub("16$", "8", source)
    if source.startswith("bayer_") and pattern in EIGHT_BIT:
        return pattern
    return "rgb8" if codec == "tiff" and source.startswith("rgb") else "bgr8"


def no_picture(text: str, head: bytes) -> str | None:
    """Returns what a message holds instead of a picture, naming the codec; None if that is not known.

    Args:
        text: ``format`` of the message.
        head: first bytes of its data, which are no picture of a known codec.
    """
    words = re.findall(r"[a-z0-9_]+", text.lower())
    video = next((VIDEO[word.strip("_")] for word in words if word.strip("_") in VIDEO), None)
    if video:
        return f"video ({video}), of which single messages are no pictures: decode it to images first"
    if head.startswith(ANNEX_B):
        return "video (H.264 or H.265), of which single messages are no pictures: decode it to images first"
    if "zstd" in words:
        return "raw pixels compressed by zstd_image_transport, no picture: republish them as raw images"
    raw = next((word for word in words if word in EIGHT_BIT), None)
    return f"raw pixels ({raw}), no picture: they belong into sensor_msgs/Image" if raw and "compressed" not in words else None
