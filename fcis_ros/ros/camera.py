# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One camera of the node: its input, its outputs, and what is known about them."""

import time
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs.msg import CompressedImage, Image

from fcis_ros.messages import mask_messages
from fcis_ros.messages.image_messages import BitDepth, compressed_to_rgb, fill_image, to_rgb
from fcis_ros.msg import InstanceMaskArray
from fcis_ros.ros import diagnostics, header_checks, qos
from fcis_ros.ros.frame_queue import FrameQueue, NodeEndedError, QueuedFrame, StaleFrameError
from fcis_ros.ros.image_input import ImageInput
from fcis_ros.structures import Instances
from fcis_ros.tracking.tracker import Tracker

PROBLEM_SECONDS = diagnostics.WINDOW
LATENCY_LIMIT = 60_000.0  # ms; more is not latency but another clock (a bag that is played without use_sim_time)


class Camera:
    """An outlet of the engine. ``image_of``, ``answer``, ``picture`` and ``refuse`` belong to the worker's thread.

    Attributes:
        name: empty for the only, unnamed camera.
        input: its subscription.
    """

    def __init__(self, node: Any, name: str, inbox: FrameQueue, profile: str):
        self.name = name
        self._node, self._inbox = node, inbox
        base = f"{name}/" if name else ""
        self.input = ImageInput(node, f"{base}image", lambda message: inbox.put(name, message), profile)
        self._outputs = f"~/{base}"
        self._publishers: list[Any] = []
        self._tracker = Tracker() if node.get_parameter("track").value else None
        self._stamps = header_checks.HeaderCheck()
        self._depth = BitDepth()
        self._times = diagnostics.Recent()
        self._rates = diagnostics.RateWindow(time.monotonic())
        self._problems: dict[str, float] = {}  # {problem: when it was last seen}
        self._jumps = 0

    # Life cycle

    def create_publishers(self) -> None:
        self._masks = self._create_publisher(InstanceMaskArray, "masks")
        self._overlay = self._create_publisher(Image, "overlay")
        self._labels = self._create_publisher(Image, "labels")
        self._labels_color = self._create_publisher(Image, "labels_color")
        self._timing = self._create_publisher(DiagnosticArray, "timing")

    def _create_publisher(self, kind: type, name: str) -> Any:
        publisher = self._node.create_lifecycle_publisher(kind, f"{self._outputs}{name}", qos.OUTPUT)
        self._publishers.append(publisher)
        return publisher

    def destroy_publishers(self) -> None:
        """Destroys those that were created, be it all of them or none."""
        while self._publishers:
            self._node.destroy_lifecycle_publisher(self._publishers.pop())

    # The worker's side

    def image_of(self, frame: QueuedFrame) -> np.ndarray:
        """Checks the header and converts the pixels."""
        header = frame.message.header
        verdict = self._stamps(header)
        if verdict.jumped_back:
            self._jumps += 1
            self._problem("time stamps jump back (a bag that loops?): tracks start anew", frame.arrived)
            self._depth = BitDepth()
            if self._tracker:
                self._tracker.reset()
        for problem in verdict.problems:
            self._problem(problem, frame.arrived)
        limit = self._node.settings.max_age_ms
        if limit and self._age_ms(header) > limit:
            raise StaleFrameError
        return (compressed_to_rgb if isinstance(frame.message, CompressedImage) else to_rgb)(frame.message, self._depth)

    def answer(self, frame: QueuedFrame, image: np.ndarray, found: Instances) -> tuple[Instances, np.ndarray | None]:
        """Publishes the masks that the settings let through; returns them and their track ids."""
        header, settings, ids = frame.message.header, self._node.settings, None
        index = settings.keep(found)
        if self._tracker:
            # Of all that were found: weak ones, which are not published, keep a track alive.
            ids = self._tracker.update(found, header_checks.nanoseconds(header.stamp) / 1e9, settings.score_threshold)[index]
        kept = found.select(index)
        self._publish(self._masks, mask_messages.to_message(kept, header, self._node.model, ids))
        now, age = time.monotonic(), self._age_ms(header)
        times = {"receive_to_publish_ms": (now - frame.arrived) * 1000}
        if abs(age) < LATENCY_LIMIT:
            times["latency_ms"] = age
        self._times.add(now, times)
        return kept, ids

    def picture(
        self, frame: QueuedFrame, image: np.ndarray, kept: tuple[Instances, np.ndarray | None], device: Any
    ) -> dict[str, float]:
        """Draws overlay and labels, on the model's device, for those who look at them."""
        from fcis_ros import overlay  # imports PyTorch, which is there by now

        (instances, ids), settings = kept, self._node.settings

        def drawn() -> np.ndarray:
            shown = instances.scores >= settings.overlay_score_threshold
            style = overlay.OverlayStyle(
                settings.overlay_alpha, settings.overlay_contour, settings.overlay_text, settings.overlay_colours
            )
            return overlay.draw(image, instances.select(shown), style, None if ids is None else ids[shown], device)

        pictures = {
            "overlay": (self._overlay, drawn, "rgb8"),
            "labels": (self._labels, lambda: overlay.label_map(instances, device), "mono16"),
            "labels_color": (self._labels_color, lambda: overlay.colour_labels(instances, ids, device), "rgb8"),
        }
        times = {}
        for name, (publisher, make, encoding) in pictures.items():
            if publisher.get_subscription_count():
                start = time.perf_counter()
                self._publish_image(publisher, frame, make(), encoding)
                times[name] = (time.perf_counter() - start) * 1000
        return times

    def timed(self, frame: QueuedFrame, times: dict[str, float]) -> None:
        """Publishes what each stage of the frame took, for those who measure."""
        if self._timing.get_subscription_count():
            values = [KeyValue(key=name, value=f"{milliseconds:.3f}") for name, milliseconds in times.items()]
            status = DiagnosticStatus(name=self._node.get_fully_qualified_name(), message="milliseconds", values=values)
            self._publish(self._timing, DiagnosticArray(header=frame.message.header, status=[status]))

    def refuse(self, frame: QueuedFrame, reason: str) -> None:
        """Nothing to do: the frame is counted, and silence on the topic is what the counters explain."""

    def _publish_image(self, publisher: Any, frame: QueuedFrame, pixels: np.ndarray, encoding: str) -> None:
        message = Image(header=frame.message.header)
        fill_image(message, pixels, encoding)
        self._publish(publisher, message)

    def _publish(self, publisher: Any, message: Any) -> None:
        try:
            publisher.publish(message)
        except Exception:
            if self._node.context.ok():
                raise
            raise NodeEndedError from None

    def _age_ms(self, header: Any) -> float:
        return (self._node.get_clock().now().nanoseconds - header_checks.nanoseconds(header.stamp)) / 1e6

    def _problem(self, problem: str, now: float) -> None:
        """Notes a problem for the diagnostics; the log hears of it once."""
        if problem not in self._problems:
            self._node.get_logger().warning(f"{self.name + ': ' if self.name else ''}{problem} (logged once)")
        self._problems[problem] = now

    # Diagnostics

    def status(self, state: str) -> diagnostics.Status:
        """What to say about this camera; called once per second."""
        now = time.monotonic()
        added, seconds = self._rates(now, counts := self._inbox.counts(self.name))
        problems = [text for text, seen in list(self._problems.items()) if now - seen < PROBLEM_SECONDS]
        facts = {"input": self.input.description, "stamp_jumps": self._jumps}
        times = self._times.percentiles(now, (50, 95))
        name = f"camera {self.name}" if self.name else "camera"
        return diagnostics.camera_status(name, state, counts, added, seconds, times, self.input.finding, problems, facts)
