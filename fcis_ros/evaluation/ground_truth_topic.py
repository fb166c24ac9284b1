# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is really there, as our own messages on another topic of the recording say; they match frames by the header's stamp."""

from collections.abc import Iterator

import numpy as np

from fcis_ros.bags.reader import BagFrame, Recording
from fcis_ros.errors import InputError
from fcis_ros.evaluation.recording_ground_truth import Annotated, truth_objects
from fcis_ros.messages.mask_serialization import MASKS, deserialize_masks
from fcis_ros.messages.typestore import header_stamp

WAITING = 2**28  # bytes of messages that wait for their frames
NEAR = 60.0  # seconds


class TruthTopic:
    """Reads true masks beside the frames; see ``truth.FrameTruth``.

    Messages may lie anywhere; only where there are more than ``WAITING`` bytes of them must each lie within ``NEAR`` seconds of
    its frame, by the times of recording.

    Attributes:
        matched_by: ``topic``.
        category_ids: the labels.

    Args:
        recording: the recording.
        topic: with our messages.
        class_names: of the model; objects of other classes are left out.

    Raises:
        InputError: no such topic in it.
    """

    matched_by = "topic"

    def __init__(self, recording: Recording, topic: str, class_names: tuple[str, ...]):
        own = sorted(name for name, (kind, _) in recording.topics.items() if kind == MASKS)
        if topic not in own:
            raise InputError(f"{recording.path}: no {MASKS} on topic {topic}; topics with them: {', '.join(own) or 'none'}")
        self.category_ids = list(range(1, len(class_names) + 1))
        self._labels = {name: label for label, name in enumerate(class_names, start=1)}
        self._title = f"{recording.path}: {topic}"
        self._path, self._messages = recording.path, self._read(recording, topic)
        self._waiting: dict[int, tuple[int, bytes]] = {}  # by stamp: time of recording, message
        self._used: set[int] = set()
        self._bytes = 0
        self._reached: float = float("-inf")

    @staticmethod
    def _read(recording: Recording, topic: str) -> Iterator[tuple[int, int, bytes]]:
        for _, _, time, raw in recording.messages({topic: (MASKS,)}):
            stamp = header_stamp(raw)
            yield time if stamp is None else stamp, time, bytes(raw)

    def find(self, record: BagFrame, height: int, width: int) -> Annotated | None:
        """See ``FrameTruth``.

        Raises:
            InputError: the message is damaged, or made for an image of another size.
        """
        if record.stamp in self._used:
            return Annotated(record.stamp, None, [])
        raw = self._take(record)
        if raw is None:
            return None
        title = f"{self._title}: the message of frame {record.name}"
        try:
            found, ids = deserialize_masks(raw)
        except InputError as error:
            raise InputError(f"{title}: {error}") from None
        if (found.height, found.width) != (height, width):
            raise InputError(f"{title} is of {found.width}x{found.height} pixels, the frame of {width}x{height}")
        known = [place for place, label in enumerate(found.labels) if found.class_names[label - 1] in self._labels]
        objects = truth_objects(found.select(np.array(known, int)), [ids[place] for place in known])
        for own in objects:
            own["category_id"] = self._labels[found.class_names[own["category_id"] - 1]]
        return Annotated(record.stamp, None, objects)

    def _take(self, record: BagFrame) -> bytes | None:
        """The message of a frame's stamp, the first of several; those read on the way wait."""
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
        """What to say if not one frame has a true one."""
        return InputError(f"{self._title}: truth of other frames: none of the {frames} frames has the stamp of a message")
