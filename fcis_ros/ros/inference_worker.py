# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The model and the one thread that feeds it. Knows nothing of ROS; imports PyTorch, which takes seconds, in ``load``."""

import contextlib
import ctypes
import gc
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from fcis_ros.errors import InputError
from fcis_ros.files import file_digest
from fcis_ros.ros.diagnostics import Recent
from fcis_ros.ros.frame_queue import FrameQueue, NodeEndedError, QueuedFrame, StaleFrameError
from fcis_ros.structures import Instances

GPU_BATCH = 8
KINDS_LOGGED = 50  # a stream of ever new errors must not fill the log


class DeviceLostError(Exception):
    """The device has failed for good: only another process can use it again."""


class FrameSink(Protocol):
    """Where the frames of one source come from and go to."""

    def image_of(self, frame: QueuedFrame) -> np.ndarray:
        """The pixels, [H, W, 3] uint8, RGB; raises InputError or StaleFrameError where there is nothing to compute."""

    def answer(self, frame: QueuedFrame, image: np.ndarray, found: Instances) -> Any:
        """Publishes what was found; returns what ``picture`` needs."""

    def picture(self, frame: QueuedFrame, image: np.ndarray, kept: Any, device: Any) -> dict[str, float]:
        """Publishes pictures for people, made on the device; returns the milliseconds that each took."""

    def timed(self, frame: QueuedFrame, times: dict[str, float]) -> None:
        """Hears how many milliseconds each stage of an answered frame took."""

    def refuse(self, frame: QueuedFrame, reason: str) -> None:
        """A frame is not answered."""


def load(
    model: str, device: str, threads: int, precision: str, progress: Callable[[str], None]
) -> tuple[Any, str]:
    """Imports PyTorch, loads a checkpoint and computes once, so that the first frame waits for nothing.

    Returns:
        The predictor, and the first twelve digits of its checkpoint's SHA-256.

    Raises:
        InputError: the model, the device or the precision cannot be used.
        DeviceLostError: the device failed for good when it was first used.
    """
    progress("1/3 importing PyTorch")
    from fcis_ros.model import checkpoint
    from fcis_ros.model.exported import load_predictor

    progress("2/3 reading the checkpoint")
    predictor = load_predictor(model or None, device, threads or None, precision)
    digest = file_digest(model or checkpoint.default_checkpoint())[:12]
    progress("3/3 computing for the first time")
    try:
        predictor(predictor.example())
    except Exception as error:
        if reason := lost(predictor.device):
            raise DeviceLostError(reason) from error
        raise
    return predictor, digest


def free() -> None:
    """Gives back what a dropped predictor held: cached constants, and memory that PyTorch and the C library keep for later."""
    gc.collect()
    torch = sys.modules.get("torch")  # not there after an import that failed
    if torch and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    with contextlib.suppress(OSError, AttributeError):  # not the GNU C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def gpu_megabytes(device: Any) -> str:
    """GPU memory that PyTorch holds in this process."""
    import torch

    return f"{torch.cuda.memory_reserved(device) / 2**20:.0f}"


def lost(device: Any) -> str:
    """Why a device will never answer again; empty if it will.

    An error such as an illegal address stays in a CUDA context: every later call fails with it until the process ends.
    """
    if device.type != "cuda":
        return ""
    import torch

    try:
        torch.cuda.synchronize(device)
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return ""


def outcome(error: Exception) -> str:
    """As what a frame that ended with this error is counted."""
    kinds = {InputError: "rejected", StaleFrameError: "stale", NodeEndedError: "overwritten"}
    return next((name for kind, name in kinds.items() if isinstance(error, kind)), "failed")


def describe(error: Exception) -> str:
    """An error in one line."""
    if isinstance(error, InputError):
        return str(error)
    return f"frame failed: {type(error).__name__}: {error}".splitlines()[0]


class InferenceWorker:
    """Takes frames from the inbox, computes, and has every one answered or refused; settles each with the inbox.

    Attributes:
        predictor: the model.
        batch: frames computed together at most.
        stages: milliseconds of every stage, the network's and others.
        ignored_rois: regions left out so far because their boxes or scores were no numbers; a healthy network has none.
    """

    def __init__(
        self,
        predictor: Any,
        inbox: FrameQueue,
        outlets: Mapping[str, FrameSink],
        score_floor: Callable[[], float],
        max_batch: int,
        report: Callable[[str], None],
        on_lost: Callable[[str], None],
    ):
        """Starts the thread.

        Args:
            predictor: computes.
            inbox: of all outlets.
            outlets: {source: outlet}.
            score_floor: least score anybody wants at the moment.
            max_batch: 0 for what suits the device.
            report: logs a problem; called once per kind.
            on_lost: called with a reason, as the thread's last act, when the device has failed for good.
        """
        self.predictor = predictor
        self.batch = max_batch or (GPU_BATCH if predictor.device.type == "cuda" else 1)
        self.stages = Recent()
        self.ignored_rois = 0
        self._inbox, self._outlets, self._score_floor = inbox, outlets, score_floor
        self._report, self._on_lost = report, on_lost
        self._reported: set[str] = set()
        inbox.start()
        self._thread = threading.Thread(target=self._work, name="fcis_worker", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Ends the thread after the frames in work.

        Returns:
            Whether it has ended; False if the device hangs.
        """
        self._inbox.stop()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (frames := self._inbox.take(self.batch)) is not None:
            ready = []
            for frame in frames:
                start = time.perf_counter()
                try:
                    image = self._outlets[frame.source].image_of(frame)
                except Exception as error:  # noqa: BLE001 (one bad frame must not end the service)
                    self._refuse(frame, error)
                else:
                    ready.append((frame, image, {"convert": (time.perf_counter() - start) * 1000}))
            if ready and (reason := self._compute(ready)):
                self._on_lost(reason)
                return

    def _compute(self, ready: list[tuple[QueuedFrame, np.ndarray, dict[str, float]]]) -> str:
        """Answers a batch; returns why the device is lost, if it is."""
        try:
            predictions = self.predictor.predict([image for _, image, _ in ready], self._score_floor())
        except Exception as error:  # noqa: BLE001 (likewise)
            reason = lost(self.predictor.device)
            if len(ready) > 1 and not reason:
                # Not all of them may be to blame, and singly they need less memory.
                return next(filter(None, (self._compute([one]) for one in ready)), "")
            for frame, _, _ in ready:
                self._refuse(frame, error)
            return reason
        for (frame, image, times), prediction in zip(ready, predictions, strict=True):
            self.ignored_rois += prediction.ignored_rois
            self._answer(frame, image, prediction.instances, times | prediction.stage_ms)
        return ""

    def _answer(self, frame: QueuedFrame, image: np.ndarray, found: Instances, times: dict[str, float]) -> None:
        outlet, start = self._outlets[frame.source], time.perf_counter()
        try:
            kept = outlet.answer(frame, image, found)
        except Exception as error:  # noqa: BLE001 (likewise)
            self._refuse(frame, error)
            return
        self._inbox.settle(frame, "processed")
        times["masks"] = (time.perf_counter() - start) * 1000
        try:
            times |= outlet.picture(frame, image, kept, self.predictor.device)
            times["total"] = sum(times.values())
            outlet.timed(frame, times)
        except Exception as error:  # noqa: BLE001 (the frame is answered; a picture that fails must not count it twice)
            if outcome(error) != "overwritten":
                self._log(f"{frame.source or 'camera'}: picture failed: {describe(error)}")
        self.stages.add(time.monotonic(), times)

    def _refuse(self, frame: QueuedFrame, error: Exception) -> None:
        result = outcome(error)
        if result in ("rejected", "failed"):
            self._log(f"{frame.source + ': ' if frame.source else ''}{describe(error)}")
        self._outlets[frame.source].refuse(frame, describe(error))
        self._inbox.settle(frame, result)

    def _log(self, problem: str) -> None:
        """Reports a problem once per kind; numbers do not make a new kind."""
        kind = re.sub(r"\d+", "#", problem)
        if kind not in self._reported and len(self._reported) < KINDS_LOGGED:
            self._reported.add(kind)
            self._report(f"{problem} (counted in /diagnostics, logged once)")
