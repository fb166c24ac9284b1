# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the inference worker hands over: computed frames, to the sink of their source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fcis_ros.ros.frame_queue import QueuedFrame
from fcis_ros.structures import Instances


@dataclass(frozen=True, eq=False)
class ComputedFrame:
    """A frame with the prediction of the network.

    Attributes:
        queued: the frame as it was received.
        image: [H, W, 3] uint8, RGB.
        instances: the predicted instances from the score floor on, best first.
        stage_ms: {stage: milliseconds} so far.
        model: the name of the model.
        device: the ``torch.device`` of the model.
    """

    queued: QueuedFrame
    image: np.ndarray
    instances: Instances
    stage_ms: Mapping[str, float]
    model: str
    device: Any


@dataclass(frozen=True)
class PublishedFrame:
    """The result of publishing a frame, whose masks have been published.

    Attributes:
        stage_ms: {stage: milliseconds} of all stages.
        error: the error that prevented pictures or timing from being published, if one did; the frame counts as processed.
    """

    stage_ms: Mapping[str, float]
    error: Exception | None = None


class FrameSink(Protocol):
    """Decodes the frames of one source and publishes their results. The worker's thread calls all methods."""

    def decode(self, frame: QueuedFrame) -> np.ndarray:
        """Returns the pixels, [H, W, 3] uint8, RGB; raises InputError or StaleFrameError if there is nothing to compute."""

    def publish(self, frame: ComputedFrame) -> PublishedFrame:
        """Publishes the results; raises an error only if the masks could not be published."""

    def refuse(self, frame: QueuedFrame, reason: str) -> None:
        """Ends a frame that gets no result."""


def with_total(stage_ms: Mapping[str, float]) -> dict[str, float]:
    """Returns the stages of a frame and their sum, ``total``."""
    return {**stage_ms, "total": sum(stage_ms.values())}
