# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The demo: a clip is recorded and played to the node; its answers are evaluated and shown in a video."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fcis_ros.bags.playback import open_bag
from fcis_ros.bags.reader import open_recording
from fcis_ros.bags.writer import record
from fcis_ros.data.frame_sources import SYNTHETIC, is_bag, is_live, open_source, without_secrets
from fcis_ros.data.synthetic.scenes import CLASS_NAMES
from fcis_ros.evaluation.clip_ground_truth import synthetic_ground_truth
from fcis_ros.evaluation.ground_truth import AnnotationFile, GroundTruth
from fcis_ros.evaluation.ground_truth_topic import GroundTruthTopic
from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
from fcis_ros.evaluation.live import ANSWERS, CLIP, bag_entry, evaluate_answers, messages, play
from fcis_ros.evaluation.recordings import EvaluationInputs
from fcis_ros.evaluation.replay import OVERLAY_TOPIC
from fcis_ros.evaluation.spec import EvaluationSpec, Playback
from fcis_ros.findings import to_json
from fcis_ros.messages import image_messages
from fcis_ros.messages.typestore import TRUTH_TOPIC
from fcis_ros.model.exported import class_names_of
from fcis_ros.results.run_report import write_report
from fcis_ros.results.short_names import short_names, without_folders
from fcis_ros.results.video import write_video


def run_demo(
    spec: EvaluationSpec, playback: Playback, folder: Path, max_frames: int | None = None, seed: int = 0
) -> dict[str, Any]:
    """Runs the demo.

    Args:
        spec: specification of the evaluation; its one recording may be any input, see ``bags.playback`` and ``frame_sources``.
        playback: rate and ROS domain.
        folder: folder of the run.
        max_frames: maximum number of frames; None for all.
        seed: seed of the synthetic clip.

    Returns:
        Content of report.json.

    Raises:
        InputError: the input cannot be used, the annotations belong to another input, or the node does not run or answers
            nothing.
        OSError: the disk is full.
    """
    (name,), class_names = spec.recordings, class_names_of(spec.checkpoint)
    synthetic = name == SYNTHETIC
    if is_bag(Path(name)):
        source = open_bag(Path(name), playback.rate, max_frames, spec.topic)
    else:
        source = open_source(name, playback.rate, max_frames, seed)
    frames = tqdm(source.frames(), "record", source.count, unit="frame", mininterval=0.5)
    clip = record(frames, folder / CLIP, source.count, synthetic_ground_truth if synthetic else None)
    sent = clip.frames
    recording = open_recording(folder / CLIP)
    ground_truth: GroundTruth | None = None
    described = None
    if spec.annotations:
        images = ImageGroundTruth.load(Path(spec.annotations), class_names)
        images.require_match(frame.name for frame in sent.values())
        ground_truth = AnnotationFile(spec.annotations, class_names, True, recording.count)
        described = {"file": Path(spec.annotations).name, "matched_by": ground_truth.matched_by}
    elif synthetic and set(CLASS_NAMES) & set(class_names):
        ground_truth = GroundTruthTopic(recording, TRUTH_TOPIC, class_names)
        described = {"topic": TRUTH_TOPIC, "matched_by": ground_truth.matched_by}
    inputs = EvaluationInputs([recording], [ground_truth] if ground_truth else None, class_names)
    answers = play(spec, playback, class_names, folder, len(sent))
    rate = playback.rate or source.rate
    (short,) = short_names([without_secrets(name)])
    description = source.description if is_live(name) else without_folders(source.description, [str(Path(name))])
    about = {
        "bags": [bag_entry(recording, CLIP, in_folder=True)],
        "input": f"{description}, {rate:g} frames/s", "truth": described, "seed": seed if synthetic else None,
        "findings": to_json((*source.findings, *inputs.findings)),
        "left_out": {short: [f"frame {frame.name}: {frame.reason}" for frame in clip.unusable]},
    }  # fmt: skip
    evaluate_answers(inputs, answers, spec, playback.rate, about, folder)
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
