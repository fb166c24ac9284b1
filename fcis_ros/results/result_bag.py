# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writes the detections of an evaluation as a recording for RViz, Foxglove, Lichtblick and Rerun.

Messages have the images' headers and times of recording, so that both recordings play together:

- ``/fcis_node/masks``: fcis_ros/InstanceMaskArray, as the node publishes it.
- ``/fcis_node/overlay/compressed``: sensor_msgs/CompressedImage, the image with masks drawn, JPEG.
- ``/fcis_node/outlines``: foxglove_msgs/ImageAnnotations, outlines and names to lay over the image.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.typesys import get_types_from_msg
from rosbags.typesys.store import Typestore

from fcis_ros import overlay
from fcis_ros.bags.reader import BagFrame, Recording
from fcis_ros.bags.writer import mcap_writer
from fcis_ros.errors import InputError
from fcis_ros.messages.mask_serialization import serialize_masks
from fcis_ros.messages.typestore import COMPRESSED, MASKS, message_types
from fcis_ros.results.run_reader import RunReader
from fcis_ros.structures import Instances

MASKS_TOPIC, OVERLAY_TOPIC, OUTLINES_TOPIC = "/fcis_node/masks", "/fcis_node/overlay/compressed", "/fcis_node/outlines"
OUTLINES = "foxglove_msgs/msg/ImageAnnotations"
LINE_LOOP = 2
JPEG_QUALITY = 85
# As foxglove_msgs is released for ROS 2 Humble to Kilted; newer fields are optional to viewers.
DEFINITIONS = {
    "Point2": """
        float64 x
        float64 y""",
    "Color": """
        float64 r
        float64 g
        float64 b
        float64 a""",
    "CircleAnnotation": """
        builtin_interfaces/Time timestamp
        foxglove_msgs/Point2 position
        float64 diameter
        float64 thickness
        foxglove_msgs/Color fill_color
        foxglove_msgs/Color outline_color""",
    "PointsAnnotation": """
        builtin_interfaces/Time timestamp
        uint8 UNKNOWN=0
        uint8 POINTS=1
        uint8 LINE_LOOP=2
        uint8 LINE_STRIP=3
        uint8 LINE_LIST=4
        uint8 type
        foxglove_msgs/Point2[] points
        foxglove_msgs/Color outline_color
        foxglove_msgs/Color[] outline_colors
        foxglove_msgs/Color fill_color
        float64 thickness""",
    "TextAnnotation": """
        builtin_interfaces/Time timestamp
        foxglove_msgs/Point2 position
        string text
        float64 font_size
        foxglove_msgs/Color text_color
        foxglove_msgs/Color background_color""",
    "ImageAnnotations": """
        foxglove_msgs/CircleAnnotation[] circles
        foxglove_msgs/PointsAnnotation[] points
        foxglove_msgs/TextAnnotation[] texts""",
}


def outline_types() -> Typestore:
    """Returns the standard messages and the annotations of foxglove_msgs."""
    store = message_types.__wrapped__()  # a separate store: the shared one lacks foxglove_msgs
    types: dict[str, Any] = {}
    for name, text in DEFINITIONS.items():
        types |= get_types_from_msg(inspect.cleandoc(text), f"foxglove_msgs/msg/{name}")
    store.register(types)
    return store


def write_result_bag(
    folder: Path,
    recordings: Sequence[Recording],
    bag: Path,
    score: float | None = None,
    progress: Callable[[], None] = lambda: None,
) -> int:
    """Writes the recording.

    Args:
        folder: folder of the evaluation, which may be incomplete.
        recordings: recordings that were evaluated, in order.
        bag: rosbag2 folder to create (MCAP).
        score: score threshold; None for that of the evaluation.
        progress: function that is called after every frame.

    Returns:
        The number of frames.

    Raises:
        InputError: the folder holds no evaluation, or a recording is not readable or has changed.
    """
    reader = RunReader(folder)
    score = reader.spec["score"] if score is None else score
    store = outline_types()
    count = 0
    with mcap_writer(bag) as writer:
        masks = writer.add_connection(MASKS_TOPIC, MASKS, typestore=message_types())
        overlays = writer.add_connection(OVERLAY_TOPIC, COMPRESSED, typestore=message_types())
        outlines = writer.add_connection(OUTLINES_TOPIC, OUTLINES, typestore=store)
        for record, instances in _instances(reader, recordings, score):
            message: Any = message_types().deserialize_cdr(record.raw, record.kind)
            header = message.header
            writer.write(masks, record.log_time, serialize_masks(instances, header, reader.spec["model"]["name"]))
            writer.write(overlays, record.log_time, _overlay(header, overlay.draw(record.image(), instances)))
            writer.write(outlines, record.log_time, store.serialize_cdr(annotate(store, header, instances), OUTLINES))
            count += 1
            progress()
    return count


def _instances(reader: RunReader, recordings: Sequence[Recording], score: float) -> Iterator[tuple[BagFrame, Instances]]:
    """Yields each evaluated frame with its instances from this score on, highest scores first."""
    records: dict[int, Iterator[BagFrame]] = {}
    for stored in reader.stored():
        frame = stored.record
        recording = recordings[frame["bag"]]
        remaining = records.setdefault(frame["bag"], recording.frames())
        record = next((record for record in remaining if record.index == frame["index"]), None)
        if record is None:
            raise InputError(f"{recording.path}: has no frame {frame['index']}, so it is not the recording that was evaluated")
        if not frame["problem"]:
            yield record, reader.instances(frame, [entry for entry in stored.results if entry["score"] >= score])[0]


def _overlay(header: Any, drawn: np.ndarray) -> memoryview:
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    message = message_types().types[COMPRESSED](header=header, format="jpeg", data=jpeg.reshape(-1))
    return message_types().serialize_cdr(message, COMPRESSED)


def annotate(store: Typestore, header: Any, instances: Instances) -> Any:
    """Returns outlines and names of instances, in the corner-based pixel coordinates of foxglove_msgs.

    Args:
        store: message types of ``outline_types``.
        header: header of the image.
        instances: instances in the image.
    """
    types = {name: store.types[f"foxglove_msgs/msg/{name}"] for name in DEFINITIONS}
    clear = types["Color"](0.0, 0.0, 0.0, 0.0)
    white = types["Color"](1.0, 1.0, 1.0, 1.0)
    thickness = max(1.0, min(instances.height, instances.width) / 360)
    lines, texts = [], []
    columns = instances.boxes.tolist(), instances.crops, instances.scores.tolist(), instances.labels
    for box, crop, score, label in zip(*columns, strict=True):
        tint = types["Color"](*(value / 255 for value in overlay.colour(int(label))), 1.0)
        # A border of background: outlines at the edge of the box are closed there.
        padded = np.pad(crop.astype(np.uint8), 1)
        contours, _ = cv2.findContours(padded, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            points = contour.reshape(-1, 2) + (box[0] - 0.5, box[1] - 0.5)  # centres of pixels, without the border
            corners = [types["Point2"](float(x), float(y)) for x, y in points]
            lines.append(types["PointsAnnotation"](header.stamp, LINE_LOOP, corners, tint, [], clear, thickness))
        corner = types["Point2"](float(box[0]), float(box[1]))
        text = f"{instances.class_names[label - 1]} {score:.2f}"
        texts.append(types["TextAnnotation"](header.stamp, corner, text, 12.0 * thickness, white, tint))
    return types["ImageAnnotations"]([], lines, texts)
