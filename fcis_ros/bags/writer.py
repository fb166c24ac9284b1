# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writes frames to rosbag2 folders, in pure Python (rosbags), without ROS.

A clip holds ``/image_raw`` (sensor_msgs/Image, rgb8) and ``/frame_names`` (std_msgs/String), whose n-th message names the n-th
image and has the same log time; with ground truth also ``/truth/masks`` (InstanceMaskArray, with the images' headers).
"""

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from fcis_ros.bags.mcap_integrity import add_checksums
from fcis_ros.data.frame_sources import Frame
from fcis_ros.errors import InputError
from fcis_ros.findings import Unusable
from fcis_ros.image_checks import check_image
from fcis_ros.messages.mask_serialization import serialize_masks
from fcis_ros.messages.typestore import IMAGE, IMAGE_TOPIC, MASKS, NAMES_TOPIC, STRING, TRUTH_TOPIC, message_types
from fcis_ros.structures import Instances

FRAME_ID = "camera"
BAG_VERSION: Final = 9


@contextlib.contextmanager
def mcap_writer(folder: Path) -> Iterator[Writer]:
    """Opens a writer of a new rosbag2 folder with MCAP storage, whose chunks get checksums."""
    with Writer(folder, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP) as writer:
        yield writer
    for file in folder.glob("*.mcap"):
        add_checksums(file)


def image_message(store: Typestore, frame: Frame) -> Any:
    """Returns a frame as sensor_msgs/Image, rgb8."""
    types = store.types
    height, width = frame.image.shape[:2]
    seconds, nanoseconds = divmod(frame.stamp, 1_000_000_000)
    return types[IMAGE](
        header=types["std_msgs/msg/Header"](
            stamp=types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds), frame_id=FRAME_ID
        ),
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=np.ascontiguousarray(frame.image).reshape(-1),
    )


@dataclass(frozen=True)
class ClipFrame:
    """Name, and height and width in pixels, of a frame of a recorded clip."""

    name: str
    height: int
    width: int


@dataclass(frozen=True)
class RecordedClip:
    """What was recorded.

    Attributes:
        frames: {stamp: frame}, in order.
        unusable: frames of the input that were left out.
    """

    frames: dict[int, ClipFrame]
    unusable: tuple[Unusable, ...]


ObjectsOf = Callable[[Frame], tuple[Instances, Sequence[int]] | None]


def record(
    frames: Iterable[Frame | Unusable], folder: Path, expected: int | None = None, ground_truth: ObjectsOf | None = None
) -> RecordedClip:
    """Writes a clip.

    Args:
        frames: frames, in order of time; those that cannot be used, also by the network, are left out.
        folder: rosbag2 folder to create.
        expected: number of frames, if known; a clip too large for the disk is then refused.
        ground_truth: function from a frame to its objects and track ids (0: none), or to None if unknown; None writes none.

    Raises:
        InputError: no frames that can be used, stamps that do not increase, or a full disk.
    """
    store = message_types()
    recorded: dict[int, ClipFrame] = {}
    unusable: list[Unusable] = []
    last = 0
    with mcap_writer(folder) as writer:
        images = writer.add_connection(IMAGE_TOPIC, IMAGE, typestore=store)
        names = writer.add_connection(NAMES_TOPIC, STRING, typestore=store)
        masks = writer.add_connection(TRUTH_TOPIC, MASKS, typestore=store) if ground_truth else None
        for frame in map(_checked, frames):
            if isinstance(frame, Unusable):
                unusable.append(frame)
                continue
            if not recorded:
                _require_room(folder, frame.image.nbytes * (expected or 1))
            elif frame.stamp <= last:
                raise InputError(f"frame {frame.name}: its stamp {frame.stamp} is not later than the one before it")
            text = store.types[STRING](data=frame.name)
            writer.write(names, frame.stamp, store.serialize_cdr(text, STRING))
            message = image_message(store, frame)
            writer.write(images, frame.stamp, store.serialize_cdr(message, IMAGE))
            if ground_truth and masks and (annotated := ground_truth(frame)):
                objects, ids = annotated
                writer.write(masks, frame.stamp, serialize_masks(objects, message.header, "truth", ids))
            recorded[frame.stamp] = ClipFrame(frame.name, *frame.image.shape[:2])
            last = frame.stamp
    if not recorded:
        reason = f" that can be used; the first, {unusable[0].name}: {unusable[0].reason}" if unusable else ""
        raise InputError(f"the input holds no frames{reason}")
    return RecordedClip(recorded, tuple(unusable))


def _checked(frame: Frame | Unusable) -> Frame | Unusable:
    """Returns the frame, as one that cannot be used if the network cannot use it."""
    if isinstance(frame, Frame):
        try:
            check_image(frame.image)
        except InputError as error:
            return Unusable(frame.name, str(error))
    return frame


def _require_room(folder: Path, clip: int) -> None:
    """Refuses a clip that does not fit on the disk twice, as frames and as overlays."""
    free = shutil.disk_usage(folder).free
    if 2.2 * clip > free:
        raise InputError(f"{folder}: the clip needs {2.2 * clip / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; take fewer frames")
