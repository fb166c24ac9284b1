# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The demo: record a clip, replay it to the node, evaluate what the node said, show it in a video."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fcis_ros.bags.reader import open_recording
from fcis_ros.bags.writer import record
from fcis_ros.data.frame_sources import FrameSource
from fcis_ros.data.synthetic.scenes import CLASS_NAMES
from fcis_ros.evaluation.clip_ground_truth import drawn_truth
from fcis_ros.evaluation.ground_truth import Truth
from fcis_ros.evaluation.ground_truth_topic import TruthTopic
from fcis_ros.evaluation.live import ANSWERS, CLIP, NodeSettings, evaluate_answers, messages, play
from fcis_ros.evaluation.recording_ground_truth import AnnotationFile
from fcis_ros.evaluation.replay import OVERLAY_TOPIC
from fcis_ros.messages import image_messages
from fcis_ros.messages.mask_serialization import TRUTH_TOPIC
from fcis_ros.results.run_report import write_report
from fcis_ros.results.video import write_video


def run_demo(
    source: FrameSource, folder: Path, settings: NodeSettings, *, annotations: Path | None, drawn: bool, seed: int | None,
    model: Mapping[str, str], unusable: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Fills ``folder``.

    Args:
        source: the input.
        folder: where everything goes.
        settings: of the node.
        annotations: COCO file of the input's frames, matched by file name, or None.
        drawn: the input is the synthetic clip, which brings its own truth.
        seed: of the synthetic clip, for the report.
        model: name and sha256 of the checkpoint, for the report.
        unusable: where ``source`` notes the frames that it leaves out, for the report.

    Returns:
        The contents of report.json.

    Raises:
        InputError: the input cannot be used, the annotations are not its, or the node does not run or answers nothing.
        OSError: the disk is full.
    """
    frames = tqdm(source.frames(), "record", source.count, unit="frame", mininterval=0.5)
    sent = record(frames, folder / CLIP, source.count, drawn_truth if drawn else None)
    recording = open_recording(folder / CLIP)
    truth, about = None, None
    if annotations:
        Truth.load(annotations, settings.class_names).require_match(frame.name for frame in sent.values())
        truth = AnnotationFile(annotations, settings.class_names, True, recording.count)
        about = {"file": annotations.name, "matched_by": truth.matched_by}
    elif drawn and set(CLASS_NAMES) & set(settings.class_names):
        truth = TruthTopic(recording, TRUTH_TOPIC, settings.class_names)
        about = {"topic": TRUTH_TOPIC, "matched_by": truth.matched_by}
    measured, answers = play(folder, settings, len(sent))
    rate = settings.rate or source.rate
    what = {"input": f"{source.description}, {rate:g} frames/s", "model": model, "truth": about, "seed": seed}
    what["left_out"] = list(unusable)
    evaluate_answers(folder, recording, truth, measured, answers, settings, what)
    _write_overlays(folder, list(measured.sent), rate)
    return write_report(folder)  # once more, with a link to the video


def _write_overlays(folder: Path, stamps: list[int], rate: float) -> None:
    """Writes overlay.mp4 in the clip's own time."""

    def frames() -> Iterator[np.ndarray]:
        """Overlays come in order of their stamps; each is held until the next."""
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
