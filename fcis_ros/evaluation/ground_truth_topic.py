# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ground truth of the frames of a recording, from masks on another topic that match frames by the header's stamp."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros.bags.reader import BagFrame, Recording
from fcis_ros.data.class_names import match_classes
from fcis_ros.errors import InputError
from fcis_ros.evaluation.ground_truth import FrameGroundTruth, UnusableGroundTruth
from fcis_ros.findings import Finding
from fcis_ros.messages.mask_serialization import deserialize_masks
from fcis_ros.messages.typestore import MASKS, header_stamp
from fcis_ros.metrics.coco_results import to_results

WAITING = 2**28  # bytes of messages
NEAR = 60.0  # seconds


class GroundTruthTopic:
    """Reads ground-truth masks along with the frames; a ``ground_truth.GroundTruth``.

    Up to ``WAITING`` bytes of messages are kept until their frames come. Beyond that, messages must lie within ``NEAR`` seconds
    of their frames, by the times of recording.

    Attributes:
        matched_by: ``topic``.
        category_ids: labels, from 1.
        findings: none; what messages hold is known when they are read (``FrameGroundTruth.other_classes``).

    Args:
        recording: recording with the topic.
        topic: topic of fcis_ros/InstanceMaskArray messages.
        class_names: classes of the model; objects of other classes are left out.

    Raises:
        InputError: no such topic in it.
    """

    matched_by = "topic"
    findings: tuple[Finding, ...] = ()

    def __init__(self, recording: Recording, topic: str, class_names: tuple[str, ...]):
        topics = sorted(name for name, (kind, _) in recording.topics.items() if kind == MASKS)
        if topic not in topics:
            raise InputError(f"{recording.path}: no {MASKS} on topic {topic}; topics with them: {', '.join(topics) or 'none'}")
        self.category_ids = list(range(1, len(class_names) + 1))
        self._class_names = class_names
        self._title, self._topic = f"{recording.path}: {topic}", topic
        self._messages = self._read(recording, topic)
        self._waiting: dict[int, tuple[int, bytes]] = {}  # by stamp: time of recording, message
        self._unreadable: dict[int, str] = {}  # by stamp: problem of the message
        self._used: set[int] = set()
        self._bytes = 0
        self._reached: float = float("-inf")

    def _read(self, recording: Recording, topic: str) -> Iterator[tuple[int, int, bytes]]:
        for message in recording.messages({topic: (MASKS,)}):
            stamp = header_stamp(message.raw)
            stamp = message.time if stamp is None else stamp
            if message.problem:
                self._unreadable[stamp] = message.problem
            yield stamp, message.time, bytes(message.raw)

    def find(self, record: BagFrame, height: int, width: int) -> FrameGroundTruth | None:
        """See ``GroundTruth``.

        Raises:
            UnusableGroundTruth: the message is damaged, or made for an image of another size.
        """
        if record.stamp in self._used:
            return FrameGroundTruth(record.stamp, None, [])
        raw = self._take(record)
        if raw is None:
            return None
        title = f"{record.name}: unusable ground truth, the message of {self._topic}"
        if record.stamp in self._unreadable:
            raise UnusableGroundTruth(f"{title} cannot be read ({self._unreadable[record.stamp]})")
        try:
            instances, ids = deserialize_masks(raw)
            by_class = match_classes(instances.class_names, self._class_names, "ground truth")
        except InputError as error:
            raise UnusableGroundTruth(f"{title} ({error})") from None
        if (instances.height, instances.width) != (height, width):
            sizes = f"{instances.width}x{instances.height} pixels, the frame of {width}x{height}"
            raise UnusableGroundTruth(f"{title} is of {sizes}")
        labels = [by_class[label - 1] for label in instances.labels]
        known = np.array([index for index, label in enumerate(labels) if label is not None], int)
        objects = []
        for index, entry in zip(known, to_results(instances.select(known), 0), strict=True):
            area = float(coco_mask.area(entry["segmentation"]))
            annotation = {"category_id": labels[index], "segmentation": entry["segmentation"], "bbox": entry["bbox"]}
            objects.append({**annotation, "area": area, "iscrowd": 0, **({"track_id": ids[index]} if ids[index] else {})})
        names = (instances.class_names[label - 1] for label in instances.labels if by_class[label - 1] is None)
        return FrameGroundTruth(record.stamp, None, objects, Counter(names))

    def _take(self, record: BagFrame) -> bytes | None:
        """Returns the first message with the stamp of a frame; keeps other messages until their frames come."""
        while record.stamp not in self._waiting:
            if self._bytes >= WAITING:
                self._forget(record.log_time - NEAR * 1e9)
                if self._bytes >= WAITING or self._reached > record.log_time + NEAR * 1e9:
                    return None
            stamp, time, raw = next(self._messages, (None, 0, b""))
            if stamp is None:
                return None
            self._reached = time
            if stamp not in self._waiting and stamp not in self._used:
                self._waiting[stamp] = time, raw
                self._bytes += len(raw)
        _, raw = self._waiting.pop(record.stamp)
        self._bytes -= len(raw)
        self._used.add(record.stamp)
        return raw

    def _forget(self, before: float) -> None:
        for stamp, (time, raw) in list(self._waiting.items()):
            if time < before:
                del self._waiting[stamp]
                self._bytes -= len(raw)

    def no_match(self, frames: int) -> InputError:
        """See ``GroundTruth``."""
        return InputError(f"{self._title}: truth of other frames: none of the {frames} frames has the stamp of a message")
