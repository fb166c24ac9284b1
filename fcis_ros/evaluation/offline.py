# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation: every frame of recordings through the network, without ROS, into the folder of a run with its report."""

import contextlib
import functools
import hashlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fcis_ros.bags.reader import Recording, open_recording
from fcis_ros.errors import InputError
from fcis_ros.evaluation.ground_truth import AnnotationFile, GroundTruth
from fcis_ros.evaluation.ground_truth_topic import GroundTruthTopic
from fcis_ros.evaluation.pipeline import network_predictions
from fcis_ros.evaluation.recordings import EvaluationInputs, evaluate
from fcis_ros.evaluation.spec import SCORE_FLOOR, EvaluationSpec
from fcis_ros.files import sha256
from fcis_ros.findings import to_json
from fcis_ros.model.exported import load_predictor
from fcis_ros.model.predictor import Predictor
from fcis_ros.results.run_report import write_report
from fcis_ros.results.run_writer import RunWriter
from fcis_ros.results.summary import LATENCIES

EDGE = 65536  # bytes at both ends of a file that identify it


@dataclass(frozen=True)
class OpenedGroundTruth:
    """Ground truth of recordings.

    Attributes:
        sources: ground truth of each recording.
        description: description for run.json.
    """

    sources: Sequence[GroundTruth]
    description: Mapping[str, str]


def evaluate_recordings(
    spec: EvaluationSpec, folder: Path, *, show_progress: bool = True, predictor: Predictor | None = None
) -> dict[str, Any]:
    """Evaluates recordings, or resumes that. The folder always gets a report of what was evaluated.

    Args:
        spec: specification of the evaluation.
        folder: folder of the run.
        show_progress: whether the terminal shows a progress bar.
        predictor: the model of ``spec.checkpoint`` if it is loaded already.

    Returns:
        Content of report.json.

    Raises:
        InputError: an input cannot be used, or no frame of it.
        OSError: the disk is full.
    """
    model = predictor or load_predictor(spec.checkpoint, spec.device, spec.threads, spec.precision)
    checkpoint_sha256 = sha256(spec.checkpoint)
    recordings = [open_recording(recording, spec.topic) for recording in spec.recordings]
    class_names = model.config.class_names
    opened = open_ground_truth(recordings, spec.annotations, spec.ground_truth_topic, class_names)
    inputs = EvaluationInputs(recordings, opened.sources if opened else None, class_names)
    run = RunWriter(folder, {
        "format": 1,
        "mode": "offline",
        "bags": [
            {"path": str(recording.path), "topic": recording.topic, "messages": recording.count,
             "fingerprint": fingerprint(recording)}
            for recording in recordings
        ],
        "shard": [spec.shard.number, spec.shard.count],
        "model": {"name": model.name, "sha256": checkpoint_sha256},
        "precision": model.precision,
        "device": str(model.device),
        "class_names": list(class_names),
        "category_ids": inputs.category_ids,
        "score_floor": SCORE_FLOOR,
        "score": spec.score,
        "truth": opened.description if opened else None,
        "findings": to_json(inputs.findings),
    })  # fmt: skip
    total = sum(stop - start for start, stop in inputs.slices(spec.shard))
    times: list[tuple[float, Mapping[str, float]]] = []
    start = time.monotonic()
    bar = tqdm(total=total, initial=run.count, unit="frame", mininterval=0.5, disable=not show_progress)
    predict = functools.partial(network_predictions, model, SCORE_FLOOR)
    try:
        with bar, run, contextlib.closing(evaluate(inputs, spec.shard, predict, run, spec.score)) as frames:
            for frame in frames:
                if frame.milliseconds is not None:
                    times.append((frame.milliseconds, frame.stage_ms))
                bar.update()
    finally:
        run.write_timing(timing_content(times, time.monotonic() - start))
        report = write_report(folder)
    if spec.shard.count == 1:  # else another shard may have such frames
        require_usable(report)
        if opened and not report["frames_annotated"]:
            raise opened.sources[0].no_match(report["frames_in"])
    return report


def require_usable(report: Mapping[str, Any]) -> None:
    """Refuses a run of which no frame can be used.

    Args:
        report: content of report.json.

    Raises:
        InputError: its text has the reason of the first frame.
    """
    if report["frames_in"] and report["frames_unusable"] == report["frames_in"]:
        count = report["frames_in"]
        raise InputError(f"{report['input']}: none of {count} frames can be used; the first: {report['unusable']}")


def open_ground_truth(
    recordings: Sequence[Recording], annotations: Path | str | None, topic: str | None, class_names: tuple[str, ...]
) -> OpenedGroundTruth | None:
    """Opens the ground truth of recordings.

    Args:
        recordings: recordings, in order.
        annotations: path or URL of a COCO instance file; None without.
        topic: topic of ground truth; None without.
        class_names: classes of the model.

    Returns:
        The ground truth; None without annotations and topic.

    Raises:
        InputError: the ground truth cannot be used, or belongs to other recordings.
    """
    if annotations:
        named = all(recording.named for recording in recordings)
        lost = (f"frames are lost ({finding})" for finding in recordings[0].findings if finding.lost)
        unordered = "there are several recordings" if len(recordings) > 1 else next(lost, None)
        source = AnnotationFile(annotations, class_names, named, recordings[0].count, unordered)
        file = source.file.path
        description = {"file": file.name, "sha256": sha256(file), "matched_by": source.matched_by}
        return OpenedGroundTruth([source] * len(recordings), description)
    if topic:
        sources = [GroundTruthTopic(recording, topic, class_names) for recording in recordings]
        return OpenedGroundTruth(sources, {"topic": topic, "matched_by": GroundTruthTopic.matched_by})
    return None


def timing_content(times: Sequence[tuple[float, Mapping[str, float]]], seconds: float) -> dict[str, Any]:
    """Returns the content of timing.json; the first frames of a process take longer.

    Args:
        times: milliseconds of the network and of its stages, for each frame.
        seconds: run time of the evaluation.
    """
    frame_ms = [milliseconds for milliseconds, _ in times]
    quantiles = np.percentile(frame_ms, [50, 95, 99, 100]).tolist() if frame_ms else [None] * 4
    stages: dict[str, list[float]] = defaultdict(list)
    for _, stage_ms in times:
        for stage, milliseconds in stage_ms.items():
            stages[stage].append(milliseconds)
    return {
        "frames": len(frame_ms),
        "seconds": seconds,
        "fps": len(frame_ms) / seconds if seconds else None,
        "latency_ms": dict(zip(LATENCIES, quantiles, strict=True)),
        "stage_ms": {name: float(np.median(values)) for name, values in stages.items()},
    }


def fingerprint(recording: Recording) -> str:
    """Returns what identifies a recording: a digest of the size and both ends of its files."""
    digest = hashlib.sha256()
    for file in (file for split in recording.splits for file in split.files):
        size = file.stat().st_size
        with file.open("rb") as content:
            digest.update(size.to_bytes(8, "little") + content.read(EDGE))
            content.seek(max(0, size - EDGE))
            digest.update(content.read(EDGE))
    return digest.hexdigest()[:16]
