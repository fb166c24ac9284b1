# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Live evaluation: a clip played to the running node in real time, what it answered, and what it dropped.

The clip is recorded first, as it will be played; the node's answers are recorded, and evaluated by the path that offline
evaluation takes, with the recorded answers in the place of the network.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import Reader
from tqdm import tqdm

from fcis_ros.bags.reader import Recording, open_recording
from fcis_ros.bags.writer import record
from fcis_ros.errors import InputError
from fcis_ros.evaluation.offline import SCORE_FLOOR, Shard, Timing, evaluate
from fcis_ros.evaluation.recording_ground_truth import FrameTruth
from fcis_ros.evaluation.replay import MASKS_TOPIC, Measured, replay, share
from fcis_ros.messages import mask_messages
from fcis_ros.messages.typestore import header_stamp, message_types
from fcis_ros.results.clip import open_bag
from fcis_ros.results.run_report import write_report
from fcis_ros.results.store import LIVE, RunFolder, write_aside
from fcis_ros.structures import Instances, Prediction

CLIP, ANSWERS, LOG = "input_bag", "output_bag", "node.log"
REASONS = ("overwritten", "rejected", "stale", "failed")


@dataclass(frozen=True)
class NodeSettings:
    """How the node is started.

    Attributes:
        model: checkpoint, as an absolute path.
        class_names: of the model.
        device: for the node.
        rate: frames per second instead of the spacing of the clip's stamps.
        score: its overlays show instances from this score.
        domain: ROS domain; see ``replay.isolated``.
        precision: of the convolutions.
        threads: CPU threads of the network; 0 leaves the choice to PyTorch.
    """

    model: Path
    class_names: tuple[str, ...]
    device: str
    rate: float | None
    score: float
    domain: int | None
    precision: str = "auto"
    threads: int = 0


def play(folder: Path, settings: NodeSettings, frames: int) -> tuple[Measured, dict[int, Instances]]:
    """Plays the clip in the folder to the node.

    Returns:
        What was measured, and {stamp: instances} of the answers.

    Raises:
        InputError: the node does not run, or answers nothing.
        OSError: the disk is full.
    """
    parameters = {
        "model": str(settings.model), "device": settings.device, "precision": settings.precision, "threads": settings.threads,
        "score_threshold": SCORE_FLOOR, "overlay_score_threshold": settings.score,
    }  # fmt: skip
    with tqdm(desc="replay", total=frames, unit="frame", mininterval=0.5) as bar:
        measured = replay(folder / CLIP, folder / ANSWERS, parameters, folder / LOG, settings.rate, settings.domain, bar.update)
    if not measured.answered:
        raise InputError(f"the node answered none of {frames} frames; its counters: {dropped(measured) or 'none'}")
    answers = {
        stamp: mask_messages.from_message(message, settings.class_names)
        for stamp, message in messages(folder / ANSWERS, MASKS_TOPIC)
        if stamp in measured.answered
    }
    return measured, answers


def evaluate_answers(
    folder: Path,
    recording: Recording,
    truth: FrameTruth | None,
    measured: Measured,
    answers: Mapping[int, Instances],
    settings: NodeSettings,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Evaluates the answers by the recording whose usable frames were played, and writes the report.

    Args:
        folder: gets the results.
        recording: what was played, as it was before.
        truth: of its frames, or None.
        measured: of ``play``.
        answers: of ``play``.
        settings: of the node.
        about: what ``run.json`` says beside what follows from the rest: the model's and the truth's facts, the seed.

    Returns:
        The contents of report.json.

    Raises:
        InputError: the truth does not fit.
    """
    names, stamps = settings.class_names, list(measured.sent)
    ids = truth.category_ids if truth else range(1, len(names) + 1)
    what = {
        "format": 1,
        "mode": "live",
        "bags": [{"path": str(recording.path), "topic": recording.topic, "messages": recording.count}],
        "shard": [1, 1],
        "precision": measured.facts.get("precision", "fp32"),
        "device": measured.facts.get("device", settings.device),
        "class_names": list(names),
        "category_ids": list(ids),
        "score_floor": SCORE_FLOOR,
        "score": settings.score,
        **about,
    }
    run = RunFolder(folder, what, beside=(CLIP, ANSWERS, LOG))
    live = {
        "rate": settings.rate,
        "seconds": measured.seconds,
        "sent": list(measured.sent.values()),
        "latency_ms": [measured.answered.get(stamp) for stamp in stamps],
        "stage_ms": measured.stage_ms,
        "dropped": dropped(measured),
    }
    write_aside(folder / LIVE, json.dumps(live) + "\n")
    recorded = _Recorded(stamps, answers, names)
    with tqdm(desc="evaluate", total=recording.count, unit="frame", mininterval=0.5) as bar:
        evaluate(
            [recording],
            Shard(1, 1),
            recorded,
            [truth] if truth else None,
            names,
            ids,
            run,
            settings.score,
            Timing(),
            bar.update,
        )
    return write_report(folder)


def evaluate_bag_live(
    bag: Path, topic: str | None, truth_of: Callable[[Recording], tuple[FrameTruth, dict[str, str]] | None], folder: Path,
    settings: NodeSettings, model: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Plays a recording to the node and evaluates what that says.

    Args:
        bag: the recording.
        topic: of the images; None where it has one such topic.
        truth_of: opens the truth of the recording and says what it is, or None.
        folder: gets the results.
        settings: of the node.
        model: name and sha256 of the checkpoint, for the report.

    Returns:
        The contents of report.json.

    Raises:
        InputError: the recording or its truth cannot be used, or the node does not run or answers nothing.
    """
    recording = open_recording(bag, topic)
    truth, about = truth_of(recording) or (None, None)
    source = open_bag(bag, settings.rate, None, topic)
    frames = tqdm(source.frames(), "record", source.count, unit="frame", mininterval=0.5)
    sent = record(frames, folder / CLIP, source.count)
    measured, answers = play(folder, settings, len(sent))
    report = evaluate_answers(folder, recording, truth, measured, answers, settings, {"model": model, "truth": about})
    if truth and not report["frames_annotated"]:
        raise truth.no_match(report["frames_in"])
    return report


class _Recorded:
    """Answers in the place of a network: those to the frames that were played, in their order."""

    def __init__(self, stamps: Iterable[int], answers: Mapping[int, Instances], class_names: tuple[str, ...]):
        self._stamps, self._answers, self._class_names = iter(stamps), answers, class_names

    def predict(self, images: Sequence[np.ndarray], score_floor: float) -> list[Prediction]:
        """In a frame without an answer nothing was found."""
        found = (self._answers.get(next(self._stamps)) or nothing(*image.shape[:2], self._class_names) for image in images)
        return [Prediction(own, {}, 0) for own in found]


def nothing(height: int, width: int, class_names: tuple[str, ...]) -> Instances:
    """No instances in an image."""
    none = np.zeros(0)
    return Instances(height, width, np.zeros((0, 4), np.int32), none.astype(np.float32), none.astype(np.int64), (), class_names)


def dropped(measured: Measured) -> dict[str, int]:
    """Why frames got no answer: as the node counted, and the rest."""
    missing = len(measured.sent) - len(measured.answered)
    counted = {reason: int(measured.facts.get(f"frames_{reason}", 0)) for reason in REASONS}
    return {**counted, "lost on the way": max(0, missing - sum(counted.values()))}


def messages(bag: Path, topic: str) -> Iterator[tuple[int, Any]]:
    """(stamp, message) of one topic of what was recorded here."""
    store = message_types(share() / "msg")
    with Reader(bag) as reader:
        for connection, _, raw in reader.messages([c for c in reader.connections if c.topic == topic]):
            yield header_stamp(raw), store.deserialize_cdr(raw, connection.msgtype)
