# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Our tracks against ByteTrack of the ``trackers`` package (PyPI), on true masks and the default model's of synthetic clips.

It brings NumPy, SciPy, OpenCV and PyTorch and therefore gets a separate Python:

    python3 -m venv bytetrack && bytetrack/bin/pip install trackers==2.6.1
    python -m benchmarks.tracking bytetrack/bin/python
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.measure import OUT, device_name
from fcis_ros import Predictor, rle
from fcis_ros.data.synthetic.scenes import CLASS_NAMES, SyntheticScenes
from fcis_ros.metrics.track_scores import TrackEvaluation, TrackScores, mask_overlaps, true_instances
from fcis_ros.structures import Instances
from fcis_ros.tracking.tracker import Tracker

SEEDS, SECONDS, RATE = range(40, 50), 20, 10.0  # constants were chosen with 0 to 9
HIGH_SCORE, LOW_SCORE = 0.5, 0.25
LARGE = 300  # pixels of 480x360 that an object must show to be counted in the second table


def clip(seed: int, predictor: Predictor) -> tuple[list[Instances], list[np.ndarray], list[Instances]]:
    """True instances, their ids, and the model's instances, frame by frame."""
    truth, ids, predictions = [], [], []
    for sample in SyntheticScenes(seed).clip(0, round(SECONDS * RATE), RATE):
        truth.append(true_instances(sample, CLASS_NAMES))
        ids.append(sample.ids)
        predictions.append(predictor(sample.image, LOW_SCORE))
    return truth, ids, predictions


def tracker_ids(frames: list[Instances]) -> tuple[list[np.ndarray], float]:
    """Ids of every frame's instances, -1 for none, and mean milliseconds of CPU time a frame."""
    tracker, ids, times = Tracker(), [], []
    for number, frame in enumerate(frames):
        start = time.thread_time()
        track_ids = tracker.update(frame, number / RATE, HIGH_SCORE)
        times.append((time.thread_time() - start) * 1000)
        ids.append(np.where(track_ids > 0, track_ids.astype(int), -1))
    return ids, statistics.mean(times)


def scored(truth: list[Instances], true_ids: list[np.ndarray], frames: list[Instances], ids: list, least: int) -> TrackScores:
    evaluation = TrackEvaluation()
    for objects, names, frame, track_ids in zip(truth, true_ids, frames, map(np.array, ids), strict=True):
        frame, track_ids = frame.select(track_ids >= 0), track_ids[track_ids >= 0]
        counted = np.array([runs[1::2].sum() >= least for runs in objects.runs], bool)
        evaluation.add(names, track_ids, mask_overlaps(objects, frame), counted)
    return evaluation.scores()


def crowded(seed: int, count: int = 20, spread: float = 1.0) -> Instances:
    """Ellipses with ragged rims of road users' sizes at 1080p; ``spread`` 0 puts all of them at the same position."""
    random = np.random.default_rng(seed)
    boxes, runs = [], []
    for _ in range(count):
        width, height = random.integers(60, 300), random.integers(80, 320)
        x, y = ((0.5 + spread * (random.random(2) - 0.5)) * (1920 - width, 1080 - height)).astype(int)
        across, down = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
        bumps = random.standard_normal((12, 12), np.float32)
        ragged = 1 + 0.2 * cv2.resize(bumps, (width, height), interpolation=cv2.INTER_CUBIC)
        boxes.append((x, y, x + width, y + height))
        runs.append(rle.encode(across**2 + down**2 < ragged))
    boxes, scores = np.array(boxes, np.int32), np.linspace(0.9, 0.6, count, dtype=np.float32)
    return Instances(1080, 1920, boxes, scores, np.ones(count, np.int64), tuple(runs), CLASS_NAMES)


def update_ms(frame: Instances) -> float:
    """Median milliseconds of CPU time of a frame with 20 tracks and 20 instances, shifted by a pixel."""
    tracker, times = Tracker(), []
    for number in range(60):
        boxes = frame.boxes + np.array([number % 2, 0, number % 2, 0], np.int32)
        now = Instances(frame.height, frame.width, boxes, frame.scores, frame.labels, frame.runs, frame.class_names)
        start = time.thread_time()
        tracker.update(now, number / 30, HIGH_SCORE)
        times.append((time.thread_time() - start) * 1000)
    return statistics.median(times[10:])


def main() -> None:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).exists():
        raise SystemExit(f"usage: python -m benchmarks.tracking TRACKERS_PYTHON\n\n{__doc__}")
    torch.set_num_threads(1)
    predictor = Predictor.from_checkpoint(device="cpu", precision="fp32")
    clips = [clip(seed, predictor) for seed in SEEDS]
    inputs = {"true masks": [truth for truth, _, _ in clips], "default model": [predictions for _, _, predictions in clips]}
    sequences = [frames for kind in inputs.values() for frames in kind]
    with tempfile.TemporaryDirectory() as folder:
        plain = [
            {
                "rate": RATE,
                "high_score": HIGH_SCORE,
                "frames": [
                    {"boxes": f.boxes.tolist(), "scores": f.scores.tolist(), "labels": f.labels.tolist()} for f in frames
                ],
            }
            for frames in sequences
        ]
        (Path(folder) / "clips.json").write_text(json.dumps(plain))
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # of another Python
        script = Path(__file__).with_name("tracking_bytetrack.py")
        subprocess.run([sys.argv[1], script, folder], check=True, env=clean)
        theirs = json.loads((Path(folder) / "tracks.json").read_text())
    ours = [tracker_ids(frames) for frames in sequences]
    rows = []
    for least in (0, LARGE):
        for number, (kind, sequence) in enumerate(inputs.items()):
            for name, answers in (("ours", ours), ("ByteTrack", [(answer["ids"], answer["ms"]) for answer in theirs])):
                part = answers[number * len(clips) : (number + 1) * len(clips)]
                results = [
                    scored(truth, names, frames, ids, least)
                    for (truth, names, _), frames, (ids, _) in zip(clips, sequence, part, strict=True)
                ]
                rows.append(
                    {
                        "masks": kind,
                        "least_pixels": least,
                        "tracker": name,
                        "idf1": statistics.mean(result.idf1 for result in results),
                        "switches": [result.switches for result in results],
                        "per_20_s_of_an_object": sum(r.switches for r in results) / sum(r.matched for r in results) * 20 * RATE,
                        "ms": statistics.mean(ms for _, ms in part),
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    crowd = {name: update_ms(crowded(0, spread=spread)) for name, spread in (("street", 1.0), ("heap", 0.0))}
    print(f"20 tracks, 20 instances, 1080p: {crowd} ms; {device_name(torch.device('cpu'))}")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "tracking.json").write_text(json.dumps({"rows": rows, "update_ms": crowd}, indent=1) + "\n")


if __name__ == "__main__":
    main()
