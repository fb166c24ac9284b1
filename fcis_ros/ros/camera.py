# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One camera of the node: decodes its images, publishes their results, and keeps what the diagnostics say about it."""

import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.context import Context
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest

from fcis_ros.messages.image_messages import compressed_to_rgb, fill_image, to_rgb
from fcis_ros.messages.mask_messages import MaskMessageTypes, to_message
from fcis_ros.msg import InstanceMask, InstanceMaskArray
from fcis_ros.ros import diagnostics, header_checks
from fcis_ros.ros.frame_queue import FrameCounts, NodeEndedError, QueuedFrame, StaleFrameError
from fcis_ros.ros.image_input import ImageInput
from fcis_ros.ros.inference_worker import ComputedFrame, PublishedFrame, with_total
from fcis_ros.ros.params import CurrentSettings
from fcis_ros.structures import Instances
from fcis_ros.tracking.tracker import Tracker

LATENCY_LIMIT = 60_000.0  # ms; more is not latency but another clock (a recording that is played without use_sim_time)
OUTPUTS = {"masks": InstanceMaskArray, "overlay": Image, "labels": Image, "labels_color": Image, "timing": DiagnosticArray}
# An array.array goes into a generated message as it is; other sequences are checked element by element.
MASK_TYPES = MaskMessageTypes(InstanceMaskArray, InstanceMask, RegionOfInterest, lambda runs: array("I", runs.tobytes()))


@dataclass(frozen=True)
class CameraContext:
    """What the cameras of a node share.

    Attributes:
        node_name: the fully qualified name of the node.
        clock: the clock of the node.
        logger: the logger of the node.
        ros: the ROS context, to know whether it has ended.
        settings: the run-time parameters.
        track: whether instances get track ids.
    """

    node_name: str
    clock: Clock
    logger: RcutilsLogger
    ros: Context
    settings: CurrentSettings
    track: bool


class Camera:
    """The sink of one camera's frames; the worker's thread calls ``decode``, ``publish`` and ``refuse``.

    Attributes:
        name: the name of the camera; empty for a single, unnamed one.
        publishers: {output: lifecycle publisher} for every key of ``OUTPUTS`` while a model is loaded.
    """

    def __init__(self, name: str, context: CameraContext):
        self.name = name
        self.publishers: Mapping[str, Any] = {}
        self._context = context
        self._tracker = Tracker() if context.track else None
        self._headers = header_checks.HeaderCheck()
        self._times = diagnostics.Recent()
        self._rates = diagnostics.RateWindow(time.monotonic())
        self._problems: dict[str, float] = {}  # {problem: time of its last occurrence}
        self._jumps = 0

    def decode(self, frame: QueuedFrame) -> np.ndarray:
        """Checks the header and converts the pixels."""
        header = frame.message.header
        verdict = self._headers(header)
        if verdict.jumped_back:
            self._jumps += 1
            self._problem("time stamps jump back (a recording that loops?): tracks start anew", frame.arrived)
            if self._tracker:
                self._tracker.reset()
        for problem in verdict.problems:
            self._problem(problem, frame.arrived)
        limit = self._context.settings.value.max_age_ms
        if limit and self._age_ms(header) > limit:
            raise StaleFrameError
        return (compressed_to_rgb if isinstance(frame.message, CompressedImage) else to_rgb)(frame.message)

    def publish(self, frame: ComputedFrame) -> PublishedFrame:
        """Publishes the masks that pass the settings, and pictures and timing to their subscribers."""
        start = time.perf_counter()
        instances, ids = self._publish_masks(frame)
        stage_ms = {**frame.stage_ms, "masks": (time.perf_counter() - start) * 1000}
        try:
            stage_ms = with_total(stage_ms | self._publish_pictures(frame, instances, ids))
            self._publish_timing(frame, stage_ms)
        except Exception as error:  # noqa: BLE001 (the masks are published: the frame must not count as failed, too)
            return PublishedFrame(stage_ms, error)
        return PublishedFrame(stage_ms)

    def refuse(self, frame: QueuedFrame, reason: str) -> None:
        """Does nothing: the frame is counted, and the diagnostics explain why nothing is published."""

    def _publish_masks(self, frame: ComputedFrame) -> tuple[Instances, np.ndarray | None]:
        """Publishes the masks; returns the published instances and their track ids."""
        header, settings, ids = frame.queued.message.header, self._context.settings.value, None
        index = settings.keep(frame.instances)
        if self._tracker:
            # Of all instances: those with low scores, which are not published, continue tracks.
            seconds = header_checks.nanoseconds(header.stamp) / 1e9
            ids = self._tracker.update(frame.instances, seconds, settings.score_threshold)[index]
        kept = frame.instances.select(index)
        self._send("masks", to_message(MASK_TYPES, kept, header, frame.model, ids))
        now, age = time.monotonic(), self._age_ms(header)
        times = {"receive_to_publish_ms": (now - frame.queued.arrived) * 1000}
        if abs(age) < LATENCY_LIMIT:
            times["latency_ms"] = age
        self._times.add(now, times)
        return kept, ids

    def _publish_pictures(self, frame: ComputedFrame, instances: Instances, ids: np.ndarray | None) -> dict[str, float]:
        """Draws overlay and labels on the model's device if they are subscribed to; returns the milliseconds of each."""
        from fcis_ros import overlay  # imports PyTorch, which has been imported by now

        settings = self._context.settings.value

        def drawn() -> np.ndarray:
            shown = instances.scores >= settings.overlay_score_threshold
            style = overlay.OverlayStyle(
                settings.overlay_alpha, settings.overlay_contour, settings.overlay_text, settings.overlay_colours
            )
            return overlay.draw(frame.image, instances.select(shown), style, None if ids is None else ids[shown], frame.device)

        pictures: dict[str, tuple[Callable[[], np.ndarray], str]] = {
            "overlay": (drawn, "rgb8"),
            "labels": (lambda: overlay.label_map(instances, frame.device), "mono16"),
            "labels_color": (lambda: overlay.colour_labels(instances, ids, frame.device), "rgb8"),
        }
        times = {}
        for name, (draw, encoding) in pictures.items():
            if self.publishers[name].get_subscription_count():
                start = time.perf_counter()
                message = Image(header=frame.queued.message.header)
                fill_image(message, draw(), encoding)
                self._send(name, message)
                times[name] = (time.perf_counter() - start) * 1000
        return times

    def _publish_timing(self, frame: ComputedFrame, stage_ms: Mapping[str, float]) -> None:
        if self.publishers["timing"].get_subscription_count():
            values = [KeyValue(key=name, value=f"{milliseconds:.3f}") for name, milliseconds in stage_ms.items()]
            status = DiagnosticStatus(name=self._context.node_name, message="milliseconds", values=values)
            self._send("timing", DiagnosticArray(header=frame.queued.message.header, status=[status]))

    def _send(self, output: str, message: Any) -> None:
        try:
            self.publishers[output].publish(message)
        except Exception:
            if self._context.ros.ok():
                raise
            raise NodeEndedError from None

    def _age_ms(self, header: Any) -> float:
        return (self._context.clock.now().nanoseconds - header_checks.nanoseconds(header.stamp)) / 1e6

    def _problem(self, problem: str, now: float) -> None:
        """Notes a problem for the diagnostics, and logs it the first time."""
        if problem not in self._problems:
            self._context.logger.warning(f"{self.name + ': ' if self.name else ''}{problem} (logged once)")
        self._problems[problem] = now

    def status(self, state: str, counts: FrameCounts, image_input: ImageInput) -> diagnostics.Status:
        """Returns the diagnostics of this camera; called once per second."""
        now = time.monotonic()
        added, seconds = self._rates(now, counts)
        problems = [text for text, seen in list(self._problems.items()) if now - seen < diagnostics.WINDOW]
        facts = {"input": image_input.description, "stamp_jumps": self._jumps}
        times = self._times.percentiles(now, (50, 95))
        name = f"camera {self.name}" if self.name else "camera"
        return diagnostics.camera_status(name, state, counts, added, seconds, times, image_input.silence, problems, facts)
