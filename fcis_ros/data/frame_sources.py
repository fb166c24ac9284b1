# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames from a video, a folder of images, one image, a camera, a stream, or the synthetic clip.

Recordings (rosbag2) need message conversion and are read by ``fcis_ros.bags.playback``.
"""

import itertools
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import cv2
import numpy as np

from fcis_ros.data.synthetic.scenes import SyntheticScenes
from fcis_ros.errors import InputError
from fcis_ros.findings import Finding, Unusable, by_reason, counted, listing, source_of
from fcis_ros.image_checks import check_image
from fcis_ros.image_decoding import decode
from fcis_ros.structures import Sample

SYNTHETIC = "synthetic"
# What OpenCV reads; what an old one does not (AVIF, GIF) is found out, and named, when it is decoded.
IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".avif", ".gif",
    ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm",
)  # fmt: skip
# Pictures that are not read. Files of cameras' sensors are TIFF by their content, which has a preview only.
OTHER_SUFFIXES = (
    ".heic", ".heif", ".jxl", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw", ".svg",
    ".psd", ".tga", ".pcx", ".ico", ".exr", ".hdr", ".pfm", ".jxr",
)  # fmt: skip
PICTURE_SUFFIXES = {*IMAGE_SUFFIXES, *OTHER_SUFFIXES}
VIDEO_SUFFIXES = (".gif",)  # of a single file: an animation is a clip
BAG_SUFFIXES = (".mcap", ".db3")
COMPRESSED_SUFFIXES = (".zstd", ".zst")
FOLDER_RATE = 5.0  # Hz, for still images
CLIP_RATE = 6.0  # Hz, for the synthetic clip: about the rate that two CPU cores can process
CLIP_FRAMES = 150  # for inputs without an end: synthetic clip, camera, stream
# The limit for reading leaves time to open a stalled stream again before ros/camera_source.py gives up.
STREAM_LIMITS = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 10_000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 5_000)


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a clip.

    Attributes:
        name: file name for an image file, else the frame's six-digit number in its source; annotations are matched by it.
        stamp: acquisition time, nanoseconds since the epoch, strictly increasing; for files it starts at the time of reading.
        image: [H, W, 3] uint8, RGB.
        truth: frame with its exact annotation, if the source renders it (synthetic clip); else None.
    """

    name: str
    stamp: int
    image: np.ndarray
    truth: Sample | None = None


@dataclass(frozen=True, eq=False)
class FrameSource:
    """A sequence of frames that can be read repeatedly.

    Attributes:
        description: short description of the input, for reports.
        rate: frame rate in Hz.
        count: number of frames; None if it is not known before the end.
        frames: function that opens the input and yields its frames in order, those that cannot be used included; raises
            InputError at the end if none can be, and where the input cannot be read any further.
        findings: what of the input is not among the frames.
    """

    description: str
    rate: float
    count: int | None
    frames: Callable[[], Iterator[Frame | Unusable]]
    findings: tuple[Finding, ...] = ()


def natural_key(path: Path) -> list:
    """Returns a sort key by which ``frame9`` comes before ``frame10``."""
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", path.name)]


def read_image(path: Path) -> np.ndarray:
    """Reads an image file as [H, W, 3] uint8 RGB, pixels as stored (see ``image_decoding``).

    Raises:
        InputError: the file is missing, not an image, or too small for the network.
    """
    data = read_file(path)
    try:
        image = decode(data)
        check_image(image)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return image


def read_file(path: Path) -> np.ndarray:
    """Reads the bytes of an image file as [N] uint8; raises InputError if that is not possible."""
    if path.suffix.lower() in OTHER_SUFFIXES:
        raise InputError(f"{path}: {path.suffix} is not read: convert it to PNG or JPEG")
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a pipe waits for somebody who writes into it
            raise InputError(f"{path}: cannot be read (a pipe, socket or device, not a file)")
        return np.fromfile(path, dtype=np.uint8)
    except FileNotFoundError:
        raise InputError(f"{path}: no such image file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def list_images(folder: Path) -> tuple[list[Path], tuple[Finding, ...]]:
    """Lists the image files directly inside a folder.

    Hidden files are no part of a data set and are skipped, such as the ``._NAME.jpg`` that macOS leaves beside every NAME.jpg.

    Returns:
        The files whose suffix is one of ``IMAGE_SUFFIXES``, in natural order, and findings about pictures of other formats and
        about folders inside the folder.

    Raises:
        InputError: the folder does not exist, cannot be read, or contains no image.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    try:
        files = sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=natural_key)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
    paths = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    others = [path for path in files if path.suffix.lower() in OTHER_SUFFIXES]
    folders = [path.name for path in files if path.suffix.lower() not in IMAGE_SUFFIXES and path.is_dir()]
    findings = by_reason(source_of(folder), "image", ((path.name, f"{path.suffix.lower()} is not read") for path in others))
    if folders:
        text = f"{counted(len(folders), 'folder')} inside, of which no image is read: {listing(folders)}"
        findings += (Finding(source_of(folder), text, lost=False),)
    if not paths:
        seen = "".join(f"; {finding.text}" for finding in findings)
        raise InputError(f"{folder}: no images in this folder (looked for {' '.join(IMAGE_SUFFIXES)}{seen})")
    return paths, findings


def is_bag(path: Path) -> bool:
    """Returns whether ``path`` is a rosbag2 folder (with or without its metadata.yaml) or a file of such a folder."""
    if path.is_dir():
        return any(file.name == "metadata.yaml" or bag_suffix(file.name) for file in path.iterdir())
    return bool(bag_suffix(path.name)) and path.is_file()


def bag_suffix(name: str) -> str:
    """Returns the suffix of a recording's file in lower case, without that of compression; empty for other and hidden files."""
    plain = PurePath(name.lower())
    suffix = (plain.with_suffix("") if plain.suffix in COMPRESSED_SUFFIXES else plain).suffix
    return suffix if suffix in BAG_SUFFIXES and not name.startswith(".") else ""


def is_stream(spec: str) -> bool:
    """Returns whether ``spec`` is the URL of a stream."""
    return re.match(r"(?!file:)[a-z][a-z0-9+.-]*://", spec, re.IGNORECASE) is not None


def is_missing_device(spec: str) -> bool:
    """Returns whether ``spec`` is a path under /dev that does not exist, such as that of an unplugged camera."""
    return spec.startswith("/dev/") and not Path(spec).exists()


def is_live(spec: str) -> bool:
    """Returns whether ``spec`` is a camera: an index, a device (/dev/video2, /dev/v4l/by-id/...) or the URL of a stream (rtsp://...)."""
    return bool(re.fullmatch("[0-9]{1,3}", spec)) or is_stream(spec) or Path(spec).is_char_device() or is_missing_device(spec)


def without_secrets(spec: str) -> str:
    """Returns ``spec`` for logs and reports: a URL without user, password and everything after ``?``, ``#`` or ``=``."""
    if not is_stream(spec):
        return spec
    return re.sub(r"[?#=].*", "...", re.sub(r"(?<=://).*@", "***@", spec))


def open_source(spec: str, rate: float | None = None, frames: int | None = None, seed: int = 0) -> FrameSource:
    """Makes the source that ``spec`` describes.

    Args:
        spec: ``synthetic``, a camera or stream (see ``is_live``), or the path of a folder of images, an image or a video.
        rate: frame rate in Hz instead of the input's (videos: as recorded; folders: 5 Hz; synthetic clip: 6 Hz).
        frames: maximum number of frames; None takes all (150 of the synthetic clip, a camera or a stream).
        seed: seed of the synthetic scene.

    Raises:
        InputError: ``spec`` is none of these or has no frames.
    """
    if rate is not None and not 0 < rate <= 1000:
        raise InputError(f"rate {rate}: must lie in 0..1000 Hz")
    if frames is not None and frames < 1:
        raise InputError(f"frames {frames}: must be at least 1")
    if spec == SYNTHETIC:
        return _synthetic(seed, rate or CLIP_RATE, frames or CLIP_FRAMES)
    if spec.lower().startswith("file://"):
        raise InputError(f"{spec}: a file is given by its path, without file://")
    if is_live(spec):
        return _live(spec, rate, frames or CLIP_FRAMES)
    path = Path(spec)
    if path.is_dir():
        paths, findings = list_images(path)
        return _images(f"images in {path}", paths[:frames], rate or FOLDER_RATE, findings)
    if not path.is_file():
        raise InputError(f"{spec}: no such file or folder, and neither a camera nor the URL of a stream")
    if path.suffix.lower() in PICTURE_SUFFIXES - {*VIDEO_SUFFIXES}:
        return _images(f"image {path}", [path], rate or FOLDER_RATE)
    return _video(path, rate, frames)


def _stamps(rate: float) -> Iterator[int]:
    start = time.time_ns()
    for index in itertools.count():
        yield start + round(index * 1e9 / rate)


def _synthetic(seed: int, rate: float, count: int) -> FrameSource:
    def read() -> Iterator[Frame]:
        samples = SyntheticScenes(seed).clip(0, count, rate=rate)
        for sample, stamp in zip(samples, _stamps(rate), strict=False):
            yield Frame(sample.name, stamp, sample.image, sample)

    return FrameSource(f"synthetic clip (seed {seed})", rate, count, read)


def _images(description: str, paths: list[Path], rate: float, findings: tuple[Finding, ...] = ()) -> FrameSource:
    def read() -> Iterator[Frame | Unusable]:
        for path, stamp in zip(paths, _stamps(rate), strict=False):
            try:
                frame: Frame | Unusable = Frame(path.name, stamp, read_image(path))
            except InputError as error:
                frame = Unusable(path.name, str(error).removeprefix(f"{path}: "))
            yield frame

    return FrameSource(description, rate, len(paths), lambda: some_usable(read(), description), findings)


def some_usable(frames: Iterator[Frame | Unusable], origin: str) -> Iterator[Frame | Unusable]:
    """Yields frames; raises InputError at the end if none of them can be used."""
    unusable: list[Unusable] = []
    usable = 0
    for frame in frames:
        if isinstance(frame, Unusable):
            unusable.append(frame)
        else:
            usable += 1
        yield frame
    if unusable and not usable:
        first, count = unusable[0], len(unusable)
        what = f"none of its {count} frames can be used; the first: {first.name}: " if count > 1 else ""
        raise InputError(f"{origin}: {what}{first.reason}")


def _video(path: Path, rate: float | None, frames: int | None) -> FrameSource:
    capture = cv2.VideoCapture(str(path))
    readable = capture.isOpened() and capture.grab()
    recorded_rate = capture.get(cv2.CAP_PROP_FPS)
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    if not readable:
        raise InputError(f"{path}: not a video (or image) that can be decoded")
    hertz = rate or (recorded_rate if 0 < recorded_rate <= 1000 else 30.0)
    length = min(count, frames or count) if count > 0 else None

    def read() -> Iterator[Frame]:
        return _captured(cv2.VideoCapture(str(path)), str(path), _stamps(hertz), frames)

    return FrameSource(f"video {path}", hertz, length, read)


def _live(spec: str, rate: float | None, count: int) -> FrameSource:
    name = f"stream {without_secrets(spec)}" if is_stream(spec) else f"camera {spec}"

    def read() -> Iterator[Frame]:
        capture = _capture(spec)
        if not capture.isOpened():
            raise InputError(f"{name}: {'no such device' if is_missing_device(spec) else 'cannot be opened'}")
        if rate:
            capture.set(cv2.CAP_PROP_FPS, rate)
        yield from _captured(capture, name, iter(time.time_ns, None), count)

    return FrameSource(name, rate or 30.0, count, read)


def _capture(spec: str) -> cv2.VideoCapture:
    """Opens a camera or stream with a fixed backend: some others, which OpenCV would try, log the URL."""
    if is_stream(spec):
        return cv2.VideoCapture(spec, cv2.CAP_FFMPEG, STREAM_LIMITS)
    return cv2.VideoCapture(int(spec)) if spec.isdecimal() else cv2.VideoCapture(spec, cv2.CAP_V4L2)


def _captured(capture: cv2.VideoCapture, name: str, stamps: Iterator[int], limit: int | None) -> Iterator[Frame]:
    """Yields at most ``limit`` frames of an open capture and releases it."""
    try:
        for index in itertools.count() if limit is None else range(limit):
            ok, image = capture.read()
            if not ok:
                if index == 0:
                    raise InputError(f"{name}: no frame can be read")
                return
            yield Frame(f"{index:06d}", next(stamps), cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    finally:
        capture.release()
