# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs the model, and what it hands over: computed frames, to the sink of their source.

Imports neither ROS nor PyTorch.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fcis_ros.errors import InputError
from fcis_ros.ros import model_loading
from fcis_ros.ros.diagnostics import Recent
from fcis_ros.ros.frame_queue import FrameQueue, NodeEndedError, QueuedFrame, StaleFrameError
from fcis_ros.structures import Instances

GPU_BATCH = 8
KINDS_LOGGED = 50  # limit, so that a stream of ever new errors does not fill the log


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


def outcome(error: Exception) -> str:
    """Returns the outcome of a frame that ended with this error."""
    kinds = {InputError: "rejected", StaleFrameError: "stale", NodeEndedError: "overwritten"}
    return next((name for kind, name in kinds.items() if isinstance(error, kind)), "failed")


def describe(error: Exception) -> str:
    """Returns an error in one line."""
    if isinstance(error, InputError):
        return str(error)
    return f"frame failed: {type(error).__name__}: {error}".splitlines()[0]


class InferenceWorker:
    """Takes frames from the queue, computes them, and has every one published or refused; settles each with the queue.

    Attributes:
        predictor: the model.
        batch: the largest number of frames computed together.
        stages: milliseconds of every stage, of the network and of publishing.
        ignored_rois: the number of ROIs left out so far because their boxes or scores were NaN; 0 with a healthy network.
    """

    def __init__(
        self,
        predictor: Any,
        queue: FrameQueue,
        sinks: Mapping[str, FrameSink],
        score_floor: Callable[[], float],
        max_batch: int,
        report: Callable[[str], None],
        on_lost: Callable[[str], None],
    ):
        """Starts the thread.

        Args:
            predictor: the model to run.
            queue: the queue of all sources.
            sinks: {source: sink}.
            score_floor: a function that returns the lowest score needed downstream.
            max_batch: the largest number of frames computed together; 0 for the default of the device.
            report: the function that logs a problem; called once per kind.
            on_lost: the function called with a reason, as the thread's last act, when the device has failed for good.
        """
        self.predictor = predictor
        self.batch = max_batch or (GPU_BATCH if predictor.device.type == "cuda" else 1)
        self.stages = Recent()
        self.ignored_rois = 0
        self._queue, self._sinks, self._score_floor = queue, sinks, score_floor
        self._report, self._on_lost = report, on_lost
        self._reported: set[str] = set()
        queue.start()
        self._thread = threading.Thread(target=self._work, name="fcis_worker", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Ends the thread after the frames in work.

        Args:
            timeout: the longest wait, in seconds.

        Returns:
            Whether it has ended; False if the device hangs.
        """
        self._queue.stop()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (frames := self._queue.take(self.batch)) is not None:
            decoded = []
            for frame in frames:
                start = time.perf_counter()
                try:
                    image = self._sinks[frame.source].decode(frame)
                except Exception as error:  # noqa: BLE001 (one bad frame must not end the service)
                    self._refuse(frame, error)
                else:
                    decoded.append((frame, image, {"convert": (time.perf_counter() - start) * 1000}))
            if decoded and (reason := self._compute(decoded)):
                self._on_lost(reason)
                return

    def _compute(self, decoded: list[tuple[QueuedFrame, np.ndarray, dict[str, float]]]) -> str:
        """Computes and publishes a batch; returns why the device is lost, if it is."""
        try:
            predictions = self.predictor.predict([image for _, image, _ in decoded], self._score_floor())
        except Exception as error:  # noqa: BLE001 (likewise)
            reason = model_loading.device_failure(self.predictor.device)
            if len(decoded) > 1 and not reason:
                # One frame may be the cause, and singly they need less memory.
                return next(filter(None, (self._compute([one]) for one in decoded)), "")
            for frame, _, _ in decoded:
                self._refuse(frame, error)
            return reason
        for (frame, image, times), prediction in zip(decoded, predictions, strict=True):
            self.ignored_rois += prediction.ignored_rois
            stage_ms = times | prediction.stage_ms
            model, device = self.predictor.name, self.predictor.device
            self._publish(ComputedFrame(frame, image, prediction.instances, stage_ms, model, device))
        return ""

    def _publish(self, frame: ComputedFrame) -> None:
        queued = frame.queued
        try:
            published = self._sinks[queued.source].publish(frame)
        except Exception as error:  # noqa: BLE001 (likewise)
            self._refuse(queued, error)
            return
        self._queue.settle(queued, "processed")
        if published.error and outcome(published.error) != "overwritten":
            self._log(f"{queued.source or 'camera'}: picture failed: {describe(published.error)}")
        self.stages.add(time.monotonic(), published.stage_ms)

    def _refuse(self, frame: QueuedFrame, error: Exception) -> None:
        result = outcome(error)
        if result in ("rejected", "failed"):
            self._log(f"{frame.source + ': ' if frame.source else ''}{describe(error)}")
        self._sinks[frame.source].refuse(frame, describe(error))
        self._queue.settle(frame, result)

    def _log(self, problem: str) -> None:
        """Reports a problem once per kind; numbers do not make a new kind."""
        kind = re.sub(r"\d+", "#", problem)
        if kind not in self._reported and len(self._reported) < KINDS_LOGGED:
            self._reported.add(kind)
            self._report(f"{problem} (counted in /diagnostics, logged once)")
