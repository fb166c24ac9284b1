# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Selection of the frames that a report shows: best, worst, largest missed objects, and one frame of each time bin.

The selection follows from the set of frames alone, whatever their order: merged shards show the frames of a single evaluation.
"""

from collections.abc import Iterable

from fcis_ros.results.frame_record import FrameRecord, count_detections

SHOWN = 8  # frames of each of best, worst, missed
TIME_BINS = 48  # of each recording

FrameKey = tuple[int, int]  # indices of the recording and of the frame in it
Ranks = dict[FrameKey, tuple[float, ...]]


def frame_key(record: FrameRecord) -> FrameKey:
    """Returns what identifies a frame in an evaluation."""
    return record["bag"], record["index"]


class FrameSelection:
    """The frames to show of those that were added so far.

    Attributes:
        best: ranks of the frames with the most true positives and the fewest errors.
        worst: ranks of the frames with the most errors (false positives and false negatives).
        missed: ranks of the frames with the largest missed object.
        time_bins: ranks by (recording, time bin) of the frame with the most errors; without errors the most detections.

    Args:
        score: score threshold.
        records: frames to add.
    """

    def __init__(self, score: float, records: Iterable[FrameRecord] = ()):
        self._score = score
        self.best: Ranks = {}
        self.worst: Ranks = {}
        self.missed: Ranks = {}
        self.time_bins: dict[tuple[int, int], Ranks] = {}
        for record in records:
            self.add(record)

    def add(self, record: FrameRecord) -> bool:
        """Adds a frame; returns whether it is selected."""
        if record["problem"]:
            return False
        key, selected = frame_key(record), False
        order = (-key[0], -key[1])  # of equal frames the earlier one
        counts = count_detections(record, self._score)
        errors = counts.false_positives + counts.false_negatives
        if record["truth"] is not None:
            if counts.true_positives:
                lead = counts.true_positives - errors
                selected |= _offer(self.best, key, (lead, counts.true_positives, *order), SHOWN)
            if errors:
                selected |= _offer(self.worst, key, (errors, *order), SHOWN)
            if counts.false_negatives:
                selected |= _offer(self.missed, key, (counts.largest_missed, *order), SHOWN)
        time_bin = self.time_bins.setdefault((key[0], record["moment"]), {})
        return selected | _offer(time_bin, key, (errors, counts.detections, *order), 1)

    def keys(self) -> set[FrameKey]:
        """Returns the keys of all selected frames."""
        return {*self.best, *self.worst, *self.missed, *(key for ranks in self.time_bins.values() for key in ranks)}


def _offer(ranks: Ranks, key: FrameKey, rank: tuple[float, ...], limit: int) -> bool:
    ranks[key] = rank
    if len(ranks) > limit:
        del ranks[min(ranks, key=ranks.__getitem__)]
    return key in ranks
