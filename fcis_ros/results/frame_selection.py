# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which frames a report shows: the best, the worst, those with the largest missed object, and one of each moment.

The choice follows from the frames alone, whatever their order: parts of a recording that were evaluated apart have the pictures
that the whole one would have.
"""

from collections.abc import Iterable
from pathlib import Path

from fcis_ros.results.frame_record import FrameRecord, rates

SHOWN = 8  # of the best, of the worst, of those that miss something
MOMENTS = 48  # of each recording

Key = tuple[int, int]  # recording, frame


def key(frame: FrameRecord) -> Key:
    """Identifies a frame."""
    return frame["bag"], frame["index"]


class FrameSelection:
    """The frames to show of those that were seen so far.

    Attributes:
        best: {key: rank}, the ones with the most right instances and nothing wrong or missed before all.
        worst: the ones with the most wrong and missed instances.
        missed: the ones with the largest missed object.
        moments: {(recording, moment): {key: rank}}, the worst of each; without truth the one with the most instances.
    """

    def __init__(self, score: float, frames: Iterable[FrameRecord] = ()):
        self._score = score
        self.best: dict[Key, tuple] = {}
        self.worst: dict[Key, tuple] = {}
        self.missed: dict[Key, tuple] = {}
        self.moments: dict[tuple[int, int], dict[Key, tuple]] = {}
        for frame in frames:
            self.add(frame)

    def add(self, frame: FrameRecord) -> bool:
        """Looks at a frame; says whether it is among those to show now."""
        if frame["problem"]:
            return False
        own, taken = key(frame), False
        order = (-own[0], -own[1])  # the earlier of equals
        own_rates = rates(frame, self._score)
        right, wrong, missed = own_rates.right, own_rates.wrong, own_rates.missed
        if frame["truth"] is not None:
            if right:
                taken |= _offer(self.best, own, (right - wrong - missed, right, *order), SHOWN)
            if wrong + missed:
                taken |= _offer(self.worst, own, (wrong + missed, *order), SHOWN)
            if missed:
                taken |= _offer(self.missed, own, (own_rates.largest, *order), SHOWN)
        moment = self.moments.setdefault((own[0], frame["moment"]), {})
        return taken | _offer(moment, own, (wrong + missed, own_rates.found, *order), 1)

    def keys(self) -> set[Key]:
        """All of them."""
        return {*self.best, *self.worst, *self.missed, *(own for moment in self.moments.values() for own in moment)}


def _offer(kept: dict[Key, tuple], own: Key, rank: tuple, most: int) -> bool:
    kept[own] = rank
    if len(kept) > most:
        del kept[min(kept, key=kept.__getitem__)]
    return own in kept


def picture_path(folder: Path, own: Key) -> Path:
    """Where a frame's picture lies in an evaluation's folder."""
    return folder / f"{own[0]:05d}-{own[1]:08d}.jpg"
