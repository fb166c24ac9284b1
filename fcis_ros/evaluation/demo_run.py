# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The demo: a clip is recorded and played to the node; its answers are evaluated and shown in a video."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fcis_ros.bags.playback import open_bag
from fcis_ros.bags.reader import open_recording
from fcis_ros.bags.writer import record
from fcis_ros.data.frame_sources import SYNTHETIC, is_bag, open_source
from fcis_ros.data.synthetic.scenes import CLASS_NAMES
from fcis_ros.evaluation.clip_ground_truth import synthetic_ground_truth
from fcis_ros.evaluation.ground_truth import AnnotationFile, GroundTruth
from fcis_ros.evaluation.ground_truth_topic import GroundTruthTopic
from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
from fcis_ros.evaluation.live import ANSWERS, CLIP, NodeSettings, evaluate_answers, messages, play
from fcis_ros.evaluation.replay import OVERLAY_TOPIC
from fcis_ros.messages import image_messages
from fcis_ros.messages.typestore import TRUTH_TOPIC
from fcis_ros.results.run_report import write_report
from fcis_ros.results.video import write_video


@dataclass(frozen=True)
class DemoSpec:
    """What the demo plays.

    Attributes:
        input: path of a recording, ``synthetic``, or another input of ``frame_sources.open_source``.
        annotations: COCO instance file of the input, matched by file name; None without.
        topic: image topic of a recording; None where it has one.
        frames: maximum number of frames; None for all.
        seed: seed of the synthetic clip.
    """

    input: str
    annotations: Path | None = None
    topic: str | None = None
    frames: int | None = None
    seed: int = 0


def run_demo(spec: DemoSpec, folder: Path, settings: NodeSettings, model: Mapping[str, str]) -> dict[str, Any]:
    """Runs the demo.

    Args:
        spec: clip and settings of the demo.
        folder: folder of the run.
        settings: settings of the node.
        model: name and sha256 of the checkpoint, for the report.

    Returns:
        Content of report.json.

    Raises:
        InputError: the input cannot be used, the annotations belong to another input, or the node does not run or answers
            nothing.
        OSError: the disk is full.
    """
    synthetic = spec.input == SYNTHETIC
    unusable: list[str] = []
    if is_bag(Path(spec.input)):
        source = open_bag(Path(spec.input), settings.rate, spec.frames, spec.topic, unusable.append)
    else:
        source = open_source(spec.input, settings.rate, spec.frames, spec.seed)
    frames = tqdm(source.frames(), "record", source.count, unit="frame", mininterval=0.5)
    sent = record(frames, folder / CLIP, source.count, synthetic_ground_truth if synthetic else None)
    recording = open_recording(folder / CLIP)
    ground_truth: GroundTruth | None = None
    described = None
    if spec.annotations:
        images = ImageGroundTruth.load(spec.annotations, settings.class_names)
        images.require_match(frame.name for frame in sent.values())
        ground_truth = AnnotationFile(spec.annotations, settings.class_names, True, recording.count)
        described = {"file": spec.annotations.name, "matched_by": ground_truth.matched_by}
    elif synthetic and set(CLASS_NAMES) & set(settings.class_names):
        ground_truth = GroundTruthTopic(recording, TRUTH_TOPIC, settings.class_names)
        described = {"topic": TRUTH_TOPIC, "matched_by": ground_truth.matched_by}
    answers = play(folder, settings, len(sent))
    rate = settings.rate or source.rate
    about = {
        "input": f"{source.description}, {rate:g} frames/s", "model": model, "truth": described,
        "seed": spec.seed if synthetic else None, "left_out": unusable,
    }  # fmt: skip
    evaluate_answers(folder, recording, ground_truth, answers, settings, about)
    _write_overlays(folder, list(answers.measured.sent), rate)
    return write_report(folder)  # once more, with a link to the video


def _write_overlays(folder: Path, stamps: list[int], rate: float) -> None:
    """Writes overlay.mp4 with the timing of the clip."""

    def frames() -> Iterator[np.ndarray]:
        """Yields a picture per sent frame: its overlay, or the latest one if the frame was dropped."""
        waiting, latest = iter(stamps), None
        for stamp, message in messages(folder / ANSWERS, OVERLAY_TOPIC):
            for due in waiting:
                if due == stamp:
                    break
                if latest is not None:
                    yield latest
            latest = image_messages.to_rgb(message)
            yield latest

    write_video(folder / "overlay.mp4", tqdm(frames(), "video", len(stamps), unit="frame", mininterval=0.5), rate)
