# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation computes."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

SCORE_FLOOR = 0.02  # instances with lower scores change AP by less than 0.001


@dataclass(frozen=True)
class Shard:
    """Shard ``number`` of ``count``, from 1. All recordings have equal weight."""

    number: int = 1
    count: int = 1

    def slice(self, index: int, recordings: int, frames: int) -> tuple[int, int]:
        """Returns the range [start, stop) of a recording's frames that belongs to the shard.

        Args:
            index: index of the recording.
            recordings: number of recordings.
            frames: number of frames in it.
        """
        first, last = (Fraction(edge * recordings, self.count) - index for edge in (self.number - 1, self.number))
        if last <= 0 or first >= 1:
            return 0, 0
        return int(frames * max(first, Fraction(0))), int(frames * min(last, Fraction(1)))


@dataclass(frozen=True)
class Playback:
    """How a clip is played to a node.

    Attributes:
        rate: frames per second; None keeps the spacing of the clip's stamps.
        domain: ROS domain; None for an unused one.
    """

    rate: float | None = None
    domain: int | None = None


@dataclass(frozen=True)
class EvaluationSpec:
    """What an evaluation computes; offline, the same specification gives the same files.

    Attributes:
        recordings: paths or URLs of the recordings, in order; for the demo one input of ``frame_sources.open_source``.
        topic: image topic; None where each recording has one.
        annotations: path or URL of a COCO instance file; None without.
        ground_truth_topic: topic of the recordings with ground truth as masks; None without.
        checkpoint: file of the model.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: CPU threads of the network; None for PyTorch's default.
        precision: precision of the convolutions.
        score: score threshold of pictures and counts, 0 to 1.
        shard: shard to compute.
    """

    recordings: tuple[str, ...]
    topic: str | None
    annotations: str | None
    ground_truth_topic: str | None
    checkpoint: Path
    device: str
    threads: int | None
    precision: str
    score: float
    shard: Shard = Shard()
