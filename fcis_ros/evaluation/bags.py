# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The whole of an offline evaluation: recordings and truth opened, frames evaluated, report written."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.bags.reader import Recording, open_recording
from fcis_ros.evaluation.ground_truth_topic import TruthTopic
from fcis_ros.evaluation.offline import SCORE_FLOOR, Shard, Timing, evaluate
from fcis_ros.evaluation.recording_ground_truth import AnnotationFile, FrameTruth
from fcis_ros.files import file_digest
from fcis_ros.model.predictor import Predictor
from fcis_ros.results.run_report import write_report
from fcis_ros.results.store import TIMING, RunFolder, write_aside
from fcis_ros.results.summary import LATENCIES

EDGE = 65536  # bytes at both ends of a file that tell it from others


@dataclass(frozen=True)
class EvaluatedModel:
    """A network and what identifies it.

    Attributes:
        predictor: the network.
        sha256: of its checkpoint.
    """

    predictor: Predictor
    sha256: str


def evaluate_bags(
    bags: Sequence[Path | str],
    topic: str | None,
    annotations: Path | str | None,
    truth_topic: str | None,
    model: EvaluatedModel,
    folder: Path,
    score: float,
    shard: Shard,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """Evaluates recordings into a folder, or goes on where that stopped; the folder has a report of what was done in any case.

    Args:
        bags: the recordings, by path or URL.
        topic: of the images; None where each has one such topic.
        annotations: COCO instance file, by path or URL, or None.
        truth_topic: of the recordings, with our messages, or None.
        model: what finds instances.
        folder: for the results.
        score: pictures show instances from this score.
        shard: the part to do.
        progress: called with frames done since the last call, and how many there are in all.

    Returns:
        The contents of report.json.

    Raises:
        InputError: something cannot be used. If a recording turns out to be damaged, what came before is in the folder.
    """
    recordings = [open_recording(bag, topic) for bag in bags]
    names = model.predictor.config.class_names
    spans = [shard.slice(bag, len(recordings), lambda own=own: own.count) for bag, own in enumerate(recordings)]
    total = sum(stop - start for start, stop in spans)
    opened = open_truth(recordings, annotations, truth_topic, names)
    truths, about = opened or (None, None)
    ids = truths[0].category_ids if truths else range(1, len(names) + 1)
    what = {
        "format": 1,
        "mode": "offline",
        "bags": [
            {"path": str(own.path), "topic": own.topic, "messages": own.count, "fingerprint": fingerprint(own)}
            for own in recordings
        ],
        "shard": [shard.number, shard.count],
        "model": {"name": model.predictor.name, "sha256": model.sha256},
        "precision": model.predictor.precision,
        "device": str(model.predictor.device),
        "class_names": list(names),
        "category_ids": list(ids),
        "score_floor": SCORE_FLOOR,
        "score": score,
        "truth": about,
    }
    run = RunFolder(folder, what)
    timing = Timing()
    try:
        evaluate(
            recordings, shard, model.predictor, truths, names, ids, run, score, timing,
            lambda frames: progress(frames, total),
        )  # fmt: skip
    finally:
        write_timing(timing, folder / TIMING)
        report = write_report(folder)
    if truths and not report["frames_annotated"] and shard.count == 1:
        raise truths[0].no_match(report["frames_in"])
    return report


def open_truth(
    recordings: Sequence[Recording], annotations: Path | str | None, topic: str | None, class_names: tuple[str, ...]
) -> tuple[list[FrameTruth], dict[str, str]] | None:
    """The truth of each recording, from one annotation file or from a topic, and what it is; None without either.

    Raises:
        InputError: it cannot be used, or is of other recordings.
    """
    if annotations:
        named = all(recording.named for recording in recordings)
        truth = AnnotationFile(annotations, class_names, named, recordings[0].count if len(recordings) == 1 else None)
        file = truth.place.path
        about = {"file": file.name, "sha256": file_digest(file), "matched_by": truth.matched_by}
        return [truth] * len(recordings), about
    if topic:
        return [TruthTopic(own, topic, class_names) for own in recordings], {
            "topic": topic,
            "matched_by": TruthTopic.matched_by,
        }
    return None


def write_timing(timing: Timing, path: Path) -> None:
    """Writes what the frames of this run took; the first ones of a process take longer."""
    quantiles = np.percentile(timing.frame_ms, [50, 95, 99, 100]).tolist() if timing.frame_ms else [None] * 4
    content: dict[str, Any] = {
        "frames": len(timing.frame_ms),
        "seconds": timing.seconds,
        "fps": len(timing.frame_ms) / timing.seconds if timing.seconds else None,
        "latency_ms": dict(zip(LATENCIES, quantiles, strict=True)),
        "stage_ms": {name: float(np.median(values)) for name, values in timing.stages.items()},
    }
    write_aside(path, json.dumps(content, indent=1) + "\n")


def fingerprint(recording: Recording) -> str:
    """Tells a recording from others by size and both ends of its files."""
    digest = hashlib.sha256()
    for file in (storage.shown for storage in recording.storages):
        size = file.stat().st_size
        with file.open("rb") as content:
            digest.update(size.to_bytes(8, "little") + content.read(EDGE))
            content.seek(max(0, size - EDGE))
            digest.update(content.read(EDGE))
    return digest.hexdigest()[:16]
