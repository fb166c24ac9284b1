# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Go, slow or stop for the nearest road user in the ego lane: the decision, without ROS.

planner.hpp is the same in C++, and vectors.json holds both to the same answers. An example of what to do with masks; not a
safety function (see README.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

GO, SLOW, STOP = range(3)
NAMES = ("go", "slow", "stop")


@dataclass(frozen=True)
class Lane:
    """The ego lane in the image: a trapezoid around the middle column.

    Attributes:
        top: row of its far end, share of the image's height.
        top_width: width there, share of the image's width.
        bottom_width: width at the last row.
    """

    top: float = 0.55
    top_width: float = 0.06
    bottom_width: float = 0.80


@dataclass(frozen=True)
class Limits:
    """When the command changes.

    Attributes:
        slow: row, as a share of the height, from which the nearest ground contact means slow.
        stop: row, as a share of the height, from which it means stop.
        margin: distance of a row above the limit, share of the height, before the command relaxes.
        calm_frames: number of successive frames for which it must hold.
    """

    slow: float = 0.62
    stop: float = 0.75
    margin: float = 0.03
    calm_frames: int = 3


def feet(mask: Any) -> np.ndarray:
    """[w] per column of an ``InstanceMask``'s box the lowest row of the object in the image, -1 where it has none."""
    lengths = np.asarray(mask.rle, dtype=np.int64)
    width, height = mask.roi.width, mask.roi.height
    inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(width, height)  # its columns as rows
    lowest = height - 1 - inside[:, ::-1].argmax(1) + mask.roi.y_offset
    return np.where(inside.any(1), lowest, -1)


def nearest_contact(masks: Iterable[Any], height: int, width: int, lane: Lane) -> float:
    """Row of the nearest ground contact in the lane as a share of the image's height; 0 where the lane is free.

    Args:
        masks: checked messages (``fcis_ros.messages.mask_messages.from_message`` says what is wrong with others).
        height: height of the image, pixels.
        width: width of the image, pixels.
        lane: position of the ego lane.
    """
    nearest = 0.0
    for mask in masks:
        lowest = feet(mask)
        # What stands on the ground does so within a tenth of its height above its lowest pixel; the rest hangs over.
        stands = (lowest >= 0) & (lowest >= lowest.max() - mask.roi.height // 10)
        row = (lowest + 1.0) / height
        share = (row - lane.top) / (1.0 - lane.top)
        half = (lane.top_width + share * (lane.bottom_width - lane.top_width)) / 2.0
        x = (np.arange(len(lowest)) + mask.roi.x_offset + 0.5) / width - 0.5
        inside = stands & (row >= lane.top) & (-half <= x) & (x <= half)
        nearest = max(nearest, float(row[inside].max(initial=0.0)))
    return nearest


class Planner:
    """Commands with hysteresis: stricter at once, laxer one step at a time and only after calm frames."""

    def __init__(self, lane: Lane | None = None, limits: Limits | None = None):
        self._lane, self._limits = lane or Lane(), limits or Limits()
        self._command, self._calm = STOP, 0  # until frames have shown that the lane is free

    def update(self, masks: Iterable[Any], height: int, width: int) -> int:
        """The command after one frame: ``GO``, ``SLOW`` or ``STOP``."""
        return self.decide(nearest_contact(masks, height, width, self._lane))

    def decide(self, row: float) -> int:
        """The command for the nearest ground contact, a share of the height, 0 for none."""
        wanted = self._wanted(row, 0.0)
        if wanted > self._command:
            self._command, self._calm = wanted, 0
        elif self._wanted(row, self._limits.margin) < self._command:
            self._calm += 1
            if self._calm >= self._limits.calm_frames:
                self._command, self._calm = self._command - 1, 0
        else:
            self._calm = 0
        return self._command

    def _wanted(self, row: float, margin: float) -> int:
        if row >= self._limits.stop - margin:
            return STOP
        return SLOW if row >= self._limits.slow - margin else GO
