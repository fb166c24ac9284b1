# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Finds problems in the headers of images, and time stamps that jump back."""

from dataclasses import dataclass
from typing import Any


def nanoseconds(stamp: Any) -> int:
    """Returns a ``builtin_interfaces/Time`` as a number, also if negative, which ``rclpy.time.Time`` refuses."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


@dataclass(frozen=True)
class Verdict:
    """The result for one header.

    Attributes:
        problems: the problems, in words without numbers, so that equal ones are equal texts.
        jumped_back: seconds from the stamp to that of the frame before, if that is later; otherwise 0.0.
    """

    problems: tuple[str, ...]
    jumped_back: float


class HeaderCheck:
    """Checks the headers of one camera, in order."""

    def __init__(self) -> None:
        self._last: int | None = None

    def __call__(self, header: Any) -> Verdict:
        """Checks the next header."""
        stamp, last = nanoseconds(header.stamp), self._last
        self._last = stamp
        problems = []
        if stamp == 0:
            problems.append("images have no time stamp (it is zero): latency and max_age_ms are meaningless")
        elif stamp < 0:
            problems.append("images have a negative time stamp")
        if not header.frame_id:
            problems.append("images have an empty frame_id: the position of the camera is unknown")
        jump = (last - stamp) / 1e9 if last is not None and stamp < last else 0.0
        return Verdict(tuple(problems), jump)
