# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writes frames to an mp4 file."""

import errno
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

CODECS = ("vp09", "mp4v")  # VP9 plays in browsers; MPEG-4 part 2 is what every OpenCV can write


def write_video(path: Path, frames: Iterable[np.ndarray], rate: float) -> None:
    """Writes an mp4 of the first frame's size; others are scaled to fit, with black margins.

    Args:
        path: file to create.
        frames: images, [H, W, 3] uint8 RGB.
        rate: frames per second.

    Raises:
        OSError: the file is incomplete.
    """
    writer, count = None, 0
    try:
        for frame in frames:
            if writer is None:
                size = tuple(max(2, side - side % 2) for side in frame.shape[1::-1])  # 4:2:0 needs even sides
                writer = _open(path, size, rate)
            writer.write(cv2.cvtColor(fit(frame, *size), cv2.COLOR_RGB2BGR))
            count += 1
    finally:
        if writer is not None:
            writer.release()
    written = cv2.VideoCapture(str(path))  # OpenCV says nothing when it cannot write
    if count and not (written.isOpened() and written.get(cv2.CAP_PROP_FRAME_COUNT) >= count):
        raise OSError(errno.ENOSPC, "the video is not whole; the disk is full, most likely", str(path))


def fit(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Returns the image scaled and centred in width x height, with black margins."""
    if image.shape[1::-1] == (width, height):
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    right, bottom = width - inner[0] - left, height - inner[1] - top
    scaled = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(scaled, top, bottom, left, right, cv2.BORDER_CONSTANT)


def _open(path: Path, size: tuple[int, int], rate: float) -> cv2.VideoWriter:
    for codec in CODECS:
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, size)
        if writer.isOpened():
            return writer
    raise RuntimeError(f"{path}: OpenCV can write neither of {', '.join(CODECS)}")
