# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Counts what a node does with the frames that a source plays to it, by its masks and its diagnostics. Imports no ROS."""

from collections.abc import Mapping

from fcis_ros.ros.frame_queue import OUTCOMES

DROPPED = tuple(name for name in OUTCOMES if name != "processed")
QUIET = 2  # statuses in a row without a change, one per second, after which a frame without an outcome is lost on the way


class PlayedFrames:
    """The account of one source and one camera of a node.

    Masks come at once, the node's counts once per second. Both can only be late, so the larger one is right.

    Attributes:
        sent: number of frames that were sent.
    """

    def __init__(self) -> None:
        self.sent = 0
        self._stamps: set[int] = set()
        self._masks = 0
        self._base: dict[str, int] = {}  # the node's counts before the first frame
        self._counts: dict[str, int] = {}
        self._moved = False  # whether a frame was sent or answered since the last status
        self._quiet = 0
        self._given_up = 0  # frames that are taken to be lost on the way

    def add_sent(self, stamp: int) -> None:
        """Counts a frame that was sent.

        Args:
            stamp: time stamp of its header, nanoseconds.
        """
        self.sent += 1
        self._stamps.add(stamp)
        self._moved, self._quiet = True, 0

    def add_masks(self, stamp: int) -> None:
        """Counts the masks of a frame; those of other sources are ignored."""
        if stamp in self._stamps:
            self._masks += 1
            self._moved = True

    def add_counts(self, values: Mapping[str, str]) -> None:
        """Takes the counts of the node's camera, as its diagnostics have them; the last ones before a frame are the base."""
        counts = {name: int(values[f"frames_{name}"]) for name in ("received", *OUTCOMES, "waiting")}
        if not self.sent:
            self._base = counts
        still = counts == self._counts and not self._moved and not counts["waiting"]
        self._quiet = self._quiet + 1 if still else 0
        self._counts, self._moved = counts, False
        if self._quiet == QUIET:
            self._given_up = self._missing

    @property
    def answered(self) -> int:
        """The number of frames whose masks were published."""
        return min(self.sent, max(self._masks, self._since("processed")))

    @property
    def unsettled(self) -> int:
        """The number of frames whose outcome is not known yet."""
        return max(0, self._missing - self._given_up)

    @property
    def lost(self) -> int:
        """The number of frames that will not be answered."""
        return self.sent - self.answered - self.unsettled

    @property
    def _missing(self) -> int:
        """The number of frames without masks and without a reason."""
        return max(0, self.sent - self.answered - sum(map(self._since, DROPPED)))

    def _since(self, outcome: str) -> int:
        return self._counts[outcome] - self._base[outcome] if self._counts else 0

    def __str__(self) -> str:
        reasons = [f"{count} {name}" for name in DROPPED if (count := self._since(name))]
        on_the_way = self._missing - self.unsettled
        reasons += [f"{on_the_way} lost on the way"] if on_the_way else []
        why = f" ({', '.join(reasons)})" if self.lost and reasons else ""
        waiting = f", {self.unsettled} not answered yet" if self.unsettled else ""
        return f"{self.sent} frames sent, {self.answered} answered, {self.lost} lost{why}{waiting}"
