# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The demo: record a clip, replay it to the node, read back what the node said, report."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from rosbags.rosbag2 import Reader
from tqdm import tqdm

from fcis_ros.bags.messages import header_stamp, message_types
from fcis_ros.bags.replay import MASKS_TOPIC, OVERLAY_TOPIC, Measured, replay, share
from fcis_ros.bags.writing import Sent, record
from fcis_ros.data.coco import parse_coco
from fcis_ros.data.frames import Frame, FrameSource
from fcis_ros.data.synthetic import CLASS_NAMES
from fcis_ros.errors import InputError
from fcis_ros.evaluation.report import summarise, write_html, write_json
from fcis_ros.evaluation.truth import Truth, add_sample, drawn_content
from fcis_ros.evaluation.video import write_video
from fcis_ros.ros import convert, masks
from fcis_ros.structures import Instances

AP_SCORE = 0.02  # what lies below it changes AP by less than 0.001
PICTURES = 6
FILES = {
    "overlay.mp4": "the clip with masks drawn; a dropped frame shows the last answer",
    "report.json": "the figures of this page",
    "input_bag": "the frames as replayed, rosbag2 (MCAP)",
    "output_bag": "what the node answered: masks and overlays, rosbag2 (MCAP)",
    "node.log": "what the node printed",
}


def run_demo(
    source: FrameSource,
    folder: Path,
    *,
    model: Path,
    class_names: tuple[str, ...],
    device: str,
    truth: Truth | None,
    rate: float | None,
    score: float,
    seed: int | None,
    domain: int | None,
    unusable: Sequence[str],
) -> dict:
    """Fills ``folder``.

    Args:
        source: the input.
        folder: where everything goes.
        model: checkpoint, as an absolute path.
        class_names: of the model.
        device: for the node.
        truth: annotations of the input's frames; the synthetic clip brings its own.
        rate: frames per second instead of the spacing of the input's stamps.
        score: draw instances from this score.
        seed: of the synthetic clip, for the report.
        domain: ROS domain; see ``replay.isolated``.
        unusable: where ``source`` notes the frames that it leaves out, for the report.

    Returns:
        The contents of report.json.

    Raises:
        InputError: the input cannot be used, the annotations are not its, or the node does not run or answers nothing.
        OSError: the disk is full.
    """
    drawn = drawn_content(CLASS_NAMES)
    frames = tqdm(_keeping_truth(source.frames(), drawn), "record", source.count, unit="frame", mininterval=0.5)
    sent = record(frames, folder / "input_bag", source.count)
    if truth:
        truth.require_match(frame.name for frame in sent.values())
    elif drawn["images"]:
        (folder / "annotations.json").write_text(json.dumps(drawn), encoding="utf-8")
        truth = Truth(parse_coco(drawn, "the clip's annotations"), class_names) if set(CLASS_NAMES) & set(class_names) else None

    parameters = {"model": str(model), "device": device, "score_threshold": AP_SCORE, "overlay_score_threshold": score}
    clip, bag, log = folder / "input_bag", folder / "output_bag", folder / "node.log"
    with tqdm(desc="replay", total=len(sent), unit="frame", mininterval=0.5) as bar:
        measured = replay(clip, bag, parameters, log, rate, domain, bar.update)
    if not measured.answered:
        raise InputError(f"the node answered none of {len(sent)} frames; its counters: {_dropped(measured) or 'none'}")

    answers = _read_answers(bag, class_names)
    report = summarise(
        frames_in=len(measured.sent),
        latencies=list(measured.answered.values()),
        seconds=measured.seconds,
        stage_ms=measured.stage_ms,
        device=measured.facts.get("device", device),
        precision=measured.facts.get("precision", "fp32"),
        model=model.stem,
        source=source.description,
        rate=rate or source.rate,
        ap=_evaluate(truth, sent, answers, class_names) if truth else None,
        ap_answered=truth.evaluate((sent[stamp].name, found) for stamp, found in answers.items()) if truth else None,
        seed=seed,
        dropped=_dropped(measured),
        unusable=unusable,
    )
    names = {stamp: frame.name for stamp, frame in sent.items()}
    pictures = _write_overlays(folder, list(measured.sent), rate or source.rate, names, answers, score)
    files = FILES | ({"annotations.json": "the clip's exact annotations"} if drawn["images"] else {})
    latencies = [measured.answered.get(stamp) for stamp in measured.sent]
    write_html(report, folder / "report.html", pictures, list(measured.sent.values()), latencies, files)
    write_json(report, folder / "report.json")
    return report


def _keeping_truth(frames: Iterator[Frame], drawn: dict[str, list]) -> Iterator[Frame]:
    for frame in frames:
        if frame.truth is not None:
            add_sample(drawn, frame.truth)
        yield frame


def _evaluate(truth: Truth, sent: Mapping[int, Sent], answers: Mapping[int, Instances], class_names: tuple[str, ...]) -> dict:
    """AP over all frames that were sent: in a frame without an answer nothing was found."""
    return truth.evaluate(
        (frame.name, answers.get(stamp) or _nothing(frame.height, frame.width, class_names)) for stamp, frame in sent.items()
    )


def _nothing(height: int, width: int, class_names: tuple[str, ...]) -> Instances:
    none = np.zeros(0)
    return Instances(
        height, width, np.zeros((0, 4), np.int32), none.astype(np.float32), none.astype(np.int64), (), class_names
    )


def _dropped(measured: Measured) -> dict[str, int]:
    """Why frames got no answer: as the node counted, and the rest."""
    missing = len(measured.sent) - len(measured.answered)
    reasons = ("overwritten", "rejected", "stale", "failed")
    counted = {reason: int(measured.facts.get(f"frames_{reason}", 0)) for reason in reasons}
    return {**counted, "lost on the way": max(0, missing - sum(counted.values()))}


def _read_answers(bag: Path, class_names: tuple[str, ...]) -> dict[int, Instances]:
    """{stamp: instances} of the recorded masks."""
    return {stamp: masks.from_message(message, class_names) for stamp, message in _messages(bag, MASKS_TOPIC)}


def _messages(bag: Path, topic: str) -> Iterator[tuple[int, object]]:
    store = message_types(share() / "msg")
    with Reader(bag) as reader:
        for connection, _, raw in reader.messages([c for c in reader.connections if c.topic == topic]):
            yield header_stamp(raw), store.deserialize_cdr(raw, connection.msgtype)


def _write_overlays(
    folder: Path, stamps: list[int], rate: float, names: dict[int, str], answers: dict[int, Instances], score: float
) -> list[tuple[str, np.ndarray]]:
    """Writes overlay.mp4 in the clip's own time; returns a few captioned pictures of it."""
    shown = sorted(answers)
    chosen = {shown[round(index)] for index in np.linspace(0, len(shown) - 1, min(PICTURES, len(shown)))}
    pictures = []

    def frames() -> Iterator[np.ndarray]:
        """Overlays come in order of their stamps; each is held until the next."""
        waiting, latest = iter(stamps), None
        for stamp, message in _messages(folder / "output_bag", OVERLAY_TOPIC):
            for due in waiting:
                if due == stamp:
                    break
                if latest is not None:
                    yield latest
            latest = convert.to_rgb(message)
            if stamp in chosen:
                pictures.append((_caption(names[stamp], answers[stamp], score), latest))
            yield latest

    write_video(folder / "overlay.mp4", tqdm(frames(), "video", len(stamps), unit="frame", mininterval=0.5), rate)
    return pictures


def _caption(name: str, found: Instances, score: float) -> str:
    counts = Counter(found.class_names[label - 1] for label in found.labels[found.scores >= score])
    return f"{name}: " + (", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing found")
