# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""How well track ids would hold: the node's tracker over what was found, measured where the truth has ids."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.metrics.track_scores import TrackEvaluation, mask_overlaps
from fcis_ros.results.stored_frames import Labels, read_stored
from fcis_ros.tracking.tracker import Tracker

UNSURE = 0.5  # share of the threshold of the score from which instances may continue a track
APART = 2**32  # between the ids of one recording and the next


def measure_tracks(folder: Path, score: float) -> dict[str, Any]:
    """IDF1 and identity switches, over all recordings of an evaluation.

    Args:
        folder: of the evaluation.
        score: instances begin tracks from this score.

    Returns:
        The fields of ``evaluation.tracks.TrackScores``.
    """
    labels, evaluation = Labels(folder), TrackEvaluation()
    trackers: dict[int, Tracker] = {}
    for stored in read_stored(folder):
        frame = stored.frame
        if frame["problem"]:
            continue
        tracker = trackers.setdefault(frame["bag"], Tracker())
        found, _ = labels.instances(frame, [own for own in stored.results if own["score"] >= UNSURE * score])
        ids = tracker.update(found, frame["stamp"] / 1e9, score)
        if not frame["tracked"]:
            continue
        there, kept = labels.instances(frame, [own for own in stored.objects if own["iscrowd"] or "track_id" in own])
        counted = np.array([not own["iscrowd"] for own in kept], bool)
        true_ids = np.array([own.get("track_id", 0) for own in kept], np.int64)
        tracked = found.select(ids > 0)
        apart = APART * frame["bag"]
        overlaps = mask_overlaps(there, tracked)
        evaluation.add(true_ids + apart, ids[ids > 0].astype(np.int64) + apart, overlaps, counted)
    return asdict(evaluation.scores())
