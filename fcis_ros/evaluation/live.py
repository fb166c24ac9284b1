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
from fcis_ros.bags.reader import Recording, open_recording
from fcis_ros.bags.writer import record
from fcis_ros.errors import InputError
from fcis_ros.evaluation.ground_truth import GroundTruth
from fcis_ros.evaluation.offline import open_ground_truth
from fcis_ros.evaluation.pipeline import DecodedFrame, EvaluationInputs, PredictedFrame, evaluate
from fcis_ros.evaluation.replay import MASKS_TOPIC, Measured, replay
from fcis_ros.evaluation.spec import SCORE_FLOOR, Shard
from fcis_ros.messages import mask_messages
from fcis_ros.messages.typestore import header_stamp, message_types
from fcis_ros.results.run_report import write_report
from fcis_ros.results.run_writer import RunWriter
from fcis_ros.structures import Instances

CLIP, ANSWERS, LOG = "input_bag", "output_bag", "node.log"
REASONS = ("overwritten", "rejected", "stale", "failed")


@dataclass(frozen=True)
class NodeSettings:
    """How the node is started.

    Attributes:
        model: absolute path of the checkpoint.
        class_names: classes of the model.
        device: device of the network.
        rate: frames per second; None keeps the spacing of the clip's stamps.
        score: score threshold of overlays.
        domain: ROS domain; None for an unused one.
        precision: precision of the convolutions.
        threads: CPU threads of the network; 0 for PyTorch's default.
    """

    model: Path
    class_names: tuple[str, ...]
    device: str
    rate: float | None
    score: float
    domain: int | None
    precision: str = "auto"
    threads: int = 0


@dataclass(frozen=True)
class Answers:
    """What a node answered.

    Attributes:
        measured: times and counters.
        instances: instances of each answered frame, by stamp.
    """

    measured: Measured
    instances: Mapping[int, Instances]


def play(folder: Path, settings: NodeSettings, frames: int) -> Answers:
    """Plays the clip in the folder to the node.

    Args:
        folder: folder of the run, with the clip.
        settings: settings of the node.
        frames: number of frames of the clip.

    Raises:
        InputError: the node does not run, or answers nothing.
        OSError: the disk is full.
    """
    parameters: dict[str, str | float] = {
        "model": str(settings.model), "device": settings.device, "precision": settings.precision, "threads": settings.threads,
        "score_threshold": SCORE_FLOOR, "overlay_score_threshold": settings.score,
    }  # fmt: skip
    with tqdm(desc="replay", total=frames, unit="frame", mininterval=0.5) as bar:
        measured = replay(folder / CLIP, folder / ANSWERS, parameters, folder / LOG, settings.rate, settings.domain, bar.update)
    if not measured.answered:
        raise InputError(f"the node answered none of {frames} frames; its counters: {dropped(measured) or 'none'}")
    instances = {
        stamp: mask_messages.from_message(message, settings.class_names)
        for stamp, message in messages(folder / ANSWERS, MASKS_TOPIC)
        if stamp in measured.answered
    }
    return Answers(measured, instances)


def evaluate_answers(
    folder: Path,
    recording: Recording,
    ground_truth: GroundTruth | None,
    answers: Answers,
    settings: NodeSettings,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Evaluates the answers to the usable frames of a recording, and writes the report.

    Args:
        folder: folder of the run.
        recording: recording that was played, as it was before.
        ground_truth: ground truth of its frames; None without.
        answers: answers of the node.
        settings: settings of the node.
        about: further entries of the run's specification: the model, the ground truth and so on.

    Returns:
        Content of report.json.

    Raises:
        InputError: the ground truth does not fit.
        OSError: the disk is full.
    """
    measured, stamps = answers.measured, list(answers.measured.sent)
    inputs = EvaluationInputs([recording], [ground_truth] if ground_truth else None, settings.class_names)
    spec = {
        "format": 1,
        "mode": "live",
        "bags": [{"path": str(recording.path), "topic": recording.topic, "messages": recording.count}],
        "shard": [1, 1],
        "precision": measured.facts.get("precision", "fp32"),
        "device": measured.facts.get("device", settings.device),
        "class_names": list(settings.class_names),
        "category_ids": inputs.category_ids,
        "score_floor": SCORE_FLOOR,
        "score": settings.score,
        **about,
    }
    run = RunWriter(folder, spec, allowed=(CLIP, ANSWERS, LOG))
    run.write_live({
        "rate": settings.rate,
        "seconds": measured.seconds,
        "sent": list(measured.sent.values()),
        "latency_ms": [measured.answered.get(stamp) for stamp in stamps],
        "stage_ms": measured.stage_ms,
        "dropped": dropped(measured),
    })  # fmt: skip
    predict = functools.partial(answers_in_order, stamps, answers.instances, settings.class_names)
    bar = tqdm(desc="evaluate", total=recording.count, unit="frame", mininterval=0.5)
    with bar, run, contextlib.closing(evaluate(inputs, Shard(), predict, run, settings.score)) as frames:
        for _ in frames:
            bar.update()
    return write_report(folder)


def evaluate_recording_live(
    path: Path, topic: str | None, annotations: str | None, ground_truth_topic: str | None, folder: Path,
    settings: NodeSettings, model: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Plays a recording to the node and evaluates its answers.

    Args:
        path: path of the recording.
        topic: image topic; None where the recording has one.
        annotations: COCO instance file; None without.
        ground_truth_topic: topic of ground truth; None without.
        folder: folder of the run.
        settings: settings of the node.
        model: name and sha256 of the checkpoint, for the report.

    Returns:
        Content of report.json.

    Raises:
        InputError: the recording or its ground truth cannot be used, or the node does not run or answers nothing.
        OSError: the disk is full.
    """
    recording = open_recording(path, topic)
    opened = open_ground_truth([recording], annotations, ground_truth_topic, settings.class_names)
    ground_truth = opened.sources[0] if opened else None
    source = open_bag(path, settings.rate, None, topic)
    frames = tqdm(source.frames(), "record", source.count, unit="frame", mininterval=0.5)
    sent = record(frames, folder / CLIP, source.count)
    answers = play(folder, settings, len(sent))
    about = {"model": model, "truth": opened.description if opened else None}
    report = evaluate_answers(folder, recording, ground_truth, answers, settings, about)
    if ground_truth and not report["frames_annotated"]:
        raise ground_truth.no_match(report["frames_in"])
    return report


def answers_in_order(
    stamps: Sequence[int], instances: Mapping[int, Instances], class_names: tuple[str, ...], frames: Iterator[DecodedFrame]
) -> Iterator[PredictedFrame]:
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
