# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""ByteTrack of the ``trackers`` package over the boxes that benchmarks/tracking.py wrote; runs in a separate Python."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker


def track(frames: list[dict], rate: float, high_score: float) -> tuple[list[list[int]], float]:
    """Ids of every frame's boxes, -1 for none, and milliseconds of CPU time a frame; a tracker per class, as in fcis_ros."""
    classes = sorted({label for frame in frames for label in frame["labels"]})
    trackers = {
        label: ByteTrackTracker(
            lost_track_buffer=45,  # 1.5 s, as in fcis_ros; counted in frames of 30 Hz
            frame_rate=rate,
            track_activation_threshold=high_score,
            high_conf_det_threshold=high_score,
            minimum_consecutive_frames=1,
        )
        for label in classes
    }
    ids, spent = [], 0.0
    for frame in frames:
        boxes = np.array(frame["boxes"], np.float32).reshape(-1, 4)
        scores, labels = np.array(frame["scores"], np.float32), np.array(frame["labels"], int)
        track_ids = np.full(len(boxes), -1)
        start = time.thread_time()
        for number, (label, tracker) in enumerate(trackers.items()):
            index = np.flatnonzero(labels == label)
            found = sv.Detections(xyxy=boxes[index], confidence=scores[index], class_id=index)
            result = tracker.update(found)
            known = np.asarray(result.tracker_id) >= 0
            track_ids[result.class_id[known]] = np.asarray(result.tracker_id)[known] * len(classes) + number
        spent += time.thread_time() - start
        ids.append(track_ids.tolist())
    return ids, spent / len(frames) * 1000


def main() -> None:
    folder = Path(sys.argv[1])
    clips = json.loads((folder / "clips.json").read_text())
    answers = [track(clip["frames"], clip["rate"], clip["high_score"]) for clip in clips]
    (folder / "tracks.json").write_text(json.dumps([{"ids": ids, "ms": ms} for ids, ms in answers]))


if __name__ == "__main__":
    main()
