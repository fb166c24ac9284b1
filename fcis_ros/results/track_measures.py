# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Scores of the node's tracker over an evaluation's detections, in the frames whose ground truth has track ids."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.metrics.track_scores import TrackEvaluation, mask_overlaps
from fcis_ros.results.run_reader import RunReader
from fcis_ros.tracking.tracker import Tracker

CONTINUE_SHARE = 0.5  # share of the score threshold from which instances may continue a track
ID_STEP = 2**32  # offset between the ids of one recording and the next


def measure_tracks(folder: Path, score: float) -> dict[str, Any]:
    """Computes IDF1 and identity switches over all recordings of an evaluation.

    Args:
        folder: folder of the evaluation.
        score: minimum score of instances that begin tracks.

    Returns:
        The fields of ``metrics.track_scores.TrackScores``.
    """
    reader, evaluation = RunReader(folder), TrackEvaluation()
    trackers: dict[int, Tracker] = {}
    for stored in reader.stored():
        frame = stored.record
        if frame["problem"]:
            continue
        tracker = trackers.setdefault(frame["bag"], Tracker())
        instances, _ = reader.instances(frame, [entry for entry in stored.results if entry["score"] >= CONTINUE_SHARE * score])
        ids = tracker.update(instances, frame["stamp"] / 1e9, score)
        if not frame["tracked"]:
            continue
        objects, kept = reader.instances(frame, [entry for entry in stored.objects if entry["iscrowd"] or "track_id" in entry])
        counted = np.array([not entry["iscrowd"] for entry in kept], bool)
        true_ids = np.array([entry.get("track_id", 0) for entry in kept], np.int64)
        first = ID_STEP * frame["bag"]
        overlaps = mask_overlaps(objects, instances.select(ids > 0))
        evaluation.add(true_ids + first, ids[ids > 0].astype(np.int64) + first, overlaps, counted)
    return asdict(evaluation.scores())
