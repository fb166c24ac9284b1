# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Live evaluation: a clip is played to a running node in real time; its answers are evaluated, and dropped frames counted.

The clip is recorded first, as it will be played. The answers of the node are recorded, and go through the pipeline of offline
evaluation as the source of its predictions.
"""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import Reader
from tqdm import tqdm

from fcis_ros.bags.playback import open_bag
from fcis_ros.bags.reader import BagFrame, Recording, open_recording
from fcis_ros.bags.writer import record
from fcis_ros.errors import InputError
from fcis_ros.evaluation.offline import open_ground_truth
from fcis_ros.evaluation.pipeline import DecodedFrame, PredictedFrame
from fcis_ros.evaluation.recordings import EvaluationInputs, evaluate
from fcis_ros.evaluation.replay import MASKS_TOPIC, Measured, replay
from fcis_ros.evaluation.spec import SCORE_FLOOR, EvaluationSpec, Playback, Shard
from fcis_ros.files import sha256
from fcis_ros.findings import to_json
from fcis_ros.messages import mask_messages
from fcis_ros.messages.typestore import header_stamp, message_types
from fcis_ros.model.exported import class_names_of
from fcis_ros.results.run_report import write_report
from fcis_ros.results.run_writer import RunWriter
from fcis_ros.structures import Instances

CLIP, ANSWERS, LOG = "input_bag", "output_bag", "node.log"
REASONS = ("overwritten", "rejected", "stale", "failed")


@dataclass(frozen=True)
class Answers:
    """What a node answered.

    Attributes:
        measured: times and counters.
        instances: instances of each answered frame, by stamp.
    """

    measured: Measured
    instances: Mapping[int, Instances]


def play(spec: EvaluationSpec, playback: Playback, class_names: tuple[str, ...], folder: Path, frames: int) -> Answers:
    """Plays the clip in the folder to the node.

    Args:
        spec: specification of the evaluation.
        playback: rate and ROS domain.
        class_names: classes of the model.
        folder: folder of the run, with the clip.
        frames: number of frames of the clip.

    Raises:
        InputError: the node does not run, or answers nothing.
        OSError: the disk is full.
    """
    parameters: dict[str, str | float] = {
        "model": str(spec.checkpoint.resolve()), "device": spec.device, "precision": spec.precision,
        "threads": spec.threads or 0, "score_threshold": SCORE_FLOOR, "overlay_score_threshold": spec.score,
    }  # fmt: skip
    with tqdm(desc="replay", total=frames, unit="frame", mininterval=0.5) as bar:
        measured = replay(folder / CLIP, folder / ANSWERS, parameters, folder / LOG, playback.rate, playback.domain, bar.update)
    if not measured.answered:
        raise InputError(f"the node answered none of {frames} frames; its counters: {dropped(measured) or 'none'}")
    instances = {
        stamp: mask_messages.from_message(message, class_names)
        for stamp, message in messages(folder / ANSWERS, MASKS_TOPIC)
        if stamp in measured.answered
    }
    return Answers(measured, instances)


def evaluate_answers(
    inputs: EvaluationInputs, answers: Answers, spec: EvaluationSpec, rate: float | None, about: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """Evaluates the answers to the usable frames of a recording, and writes the report.

    Args:
        inputs: recording that was played, as it was before, with its ground truth.
        answers: answers of the node.
        spec: specification of the evaluation.
        rate: frames per second; None for the spacing of the clip's stamps.
        about: other entries of the run's specification: the ground truth and so on.
        folder: folder of the run.

    Returns:
        Content of report.json.

    Raises:
        InputError: the ground truth does not fit.
        OSError: the disk is full.
    """
    measured, stamps = answers.measured, list(answers.measured.sent)
    (recording,) = inputs.recordings
    run = RunWriter(folder, {
        "format": 1,
        "mode": "live",
        "bags": [bag_entry(recording, str(recording.path))],
        "findings": to_json(recording.findings),
        "shard": [1, 1],
        "precision": measured.facts.get("precision", "fp32"),
        "device": measured.facts.get("device", spec.device),
        "class_names": list(inputs.class_names),
        "category_ids": inputs.category_ids,
        "score_floor": SCORE_FLOOR,
        "score": spec.score,
        "model": {"name": spec.checkpoint.stem, "sha256": sha256(spec.checkpoint)},
        "findings": to_json(inputs.findings),
        **about,
    }, allowed=(CLIP, ANSWERS, LOG))  # fmt: skip
    run.write_live({
        "rate": rate,
        "seconds": measured.seconds,
        "sent": list(measured.sent.values()),
        "latency_ms": [measured.answered.get(stamp) for stamp in stamps],
        "stage_ms": measured.stage_ms,
        "dropped": dropped(measured),
    })  # fmt: skip
    predict = functools.partial(answers_in_order, stamps, answers.instances, inputs.class_names)
    bar = tqdm(desc="evaluate", total=recording.count, unit="frame", mininterval=0.5)
    with bar, run, contextlib.closing(evaluate(inputs, Shard(), predict, run, spec.score)) as frames:
        for _ in frames:
            bar.update()
    return write_report(folder)


def evaluate_recording_live(spec: EvaluationSpec, playback: Playback, folder: Path) -> dict[str, Any]:
    """Plays a recording to the node and evaluates its answers.

    Args:
        spec: specification of the evaluation, of one recording.
        playback: rate and ROS domain.
        folder: folder of the run.

    Returns:
        Content of report.json.

    Raises:
        InputError: the recording or its ground truth cannot be used, or the node does not run or answers nothing.
        OSError: the disk is full.
    """
    path, class_names = Path(spec.recordings[0]), class_names_of(spec.checkpoint)
    recording = open_recording(path, spec.topic)
    opened = open_ground_truth([recording], spec.annotations, spec.ground_truth_topic, class_names)
    source = open_bag(path, playback.rate, None, spec.topic)
    frames = tqdm(source.frames(), "record", source.count, unit="frame", mininterval=0.5)
    sent = record(frames, folder / CLIP, source.count).frames
    answers = play(spec, playback, class_names, folder, len(sent))
    inputs = EvaluationInputs([recording], opened.sources if opened else None, class_names)
    about = {"truth": opened.description if opened else None, "findings": to_json(recording.findings)}
    report = evaluate_answers(inputs, answers, spec, playback.rate, about, folder)
    if opened and not report["frames_annotated"]:
        raise opened.sources[0].no_match(report["frames_in"])
    return report


def bag_entry(recording: Recording, path: str, **facts: bool) -> dict[str, Any]:
    """Returns the entry of a recording in the run's specification."""
    return {"path": path, "topic": recording.topic, "messages": recording.count, **facts}


def answers_in_order(
    stamps: Sequence[int],
    instances: Mapping[int, Instances],
    class_names: tuple[str, ...],
    frames: Iterator[DecodedFrame[BagFrame]],
) -> Iterator[PredictedFrame[BagFrame]]:
    """Yields usable frames with the recorded answers to them; frames without an answer have no instances.

    Args:
        stamps: stamps with which the usable frames were sent, in order.
        instances: instances of each answered frame, by stamp.
        class_names: classes of the model.
        frames: frames of the recording.
    """
    sent = iter(stamps)
    for decoded in frames:
        if decoded.image is None:
            yield PredictedFrame(decoded, None)
        else:
            height, width = decoded.image.shape[:2]
            yield PredictedFrame(decoded, instances.get(next(sent)) or no_instances(height, width, class_names))


def no_instances(height: int, width: int, class_names: tuple[str, ...]) -> Instances:
    """Returns the instances of an image without any."""
    boxes, scores, labels = np.zeros((0, 4), np.int32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    return Instances(height, width, boxes, scores, labels, (), class_names)


def dropped(measured: Measured) -> dict[str, int]:
    """Returns the number of frames without an answer, by the reasons that the node counted; the rest was lost on the way."""
    missing = len(measured.sent) - len(measured.answered)
    counted = {reason: int(measured.facts.get(f"frames_{reason}", 0)) for reason in REASONS}
    return {**counted, "lost on the way": max(0, missing - sum(counted.values()))}


def messages(bag: Path, topic: str) -> Iterator[tuple[int, Any]]:
    """Yields (stamp, message) of a topic of a bag that ``replay`` recorded."""
    store = message_types()
    with Reader(bag) as reader:
        for connection, _, raw in reader.messages([c for c in reader.connections if c.topic == topic]):
            if (stamp := header_stamp(raw)) is not None:
                yield stamp, store.deserialize_cdr(raw, connection.msgtype)
