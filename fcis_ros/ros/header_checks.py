# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is odd about the header of an image, and whether time has jumped back."""

from dataclasses import dataclass
from typing import Any


def nanoseconds(stamp: Any) -> int:
    """A ``builtin_interfaces/Time`` as a number; negative ones, which ``rclpy.time.Time`` refuses, included."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


@dataclass(frozen=True)
class Verdict:
    """About one header.

    Attributes:
        problems: what is wrong with it, in words without numbers, so that each is one kind.
        jumped_back: seconds that the stamp lies before the one of the frame before; 0.0 if it does not.
    """

    problems: tuple[str, ...]
    jumped_back: float


class HeaderCheck:
    """Looks at the headers of one camera, in order."""

    def __init__(self) -> None:
        self._last: int | None = None

    def __call__(self, header: Any) -> Verdict:
        """Judges the next header; a jump is measured from the header before."""
        stamp, last = nanoseconds(header.stamp), self._last
        self._last = stamp
        problems = []
        if stamp == 0:
            problems.append("images have no time stamp (it is zero): latency and max_age_ms mean nothing")
        elif stamp < 0:
            problems.append("images have a negative time stamp")
        if not header.frame_id:
            problems.append("images have an empty frame_id: nobody can tell where the camera is")
        jump = (last - stamp) / 1e9 if last is not None and stamp < last else 0.0
        return Verdict(tuple(problems), jump)
