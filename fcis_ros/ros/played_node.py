# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node that a source plays to: waits until it reads the images, paces them, and waits for the last answer."""

import math
import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile

from fcis_ros.errors import InputError
from fcis_ros.msg import InstanceMaskArray
from fcis_ros.ros.header_checks import nanoseconds
from fcis_ros.ros.played_frames import PlayedFrames

UNANSWERED = 4  # largest number of frames under way with `frame_policy: every`: enough to keep the node busy
PATIENCE = 4  # statuses in a row with a best-effort subscription, which `input_qos: auto` replaces when it sees the source
SAY_SECONDS = 5.0  # time between two lines that say what is waited for
SPIN_SECONDS = 0.2


class PlayedNode:
    """A ``fcis_node`` as its source sees it, by its diagnostics and its masks.

    Attributes:
        frames: the account of the frames.
    """

    def __init__(self, node: Node, name: str, spin: Callable[[float], None]):
        """Subscribes to the diagnostics.

        Args:
            node: the source.
            name: the full name of the node that is played to.
            spin: a function that serves callbacks of the source for some seconds at most.

        Raises:
            InputError: ``name`` is not a full name.
        """
        if not name.startswith("/"):
            raise InputError(f"parameter wait_for: {name!r} is not the full name of a node, such as /fcis_node")
        self.frames = PlayedFrames()
        self._node, self._name, self._spin = node, name, spin
        self._topic = ""
        self._camera: str | None = None  # name of the status of the camera that reads the images
        self._input = ""  # what the camera reads, and with which quality of service
        self._same = 0  # statuses in a row with this input
        self._status, self._heard = "", -math.inf  # what the node has said last, and when
        self._limit: int | None = None  # largest number of frames under way; None for no limit
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    @property
    def every(self) -> bool:
        """Whether the node computes every frame."""
        return self._limit is not None

    def wait_until_ready(self, images: Publisher) -> None:
        """Waits until the node is active and reads the images, for as long as it takes; says what it waits for.

        Args:
            images: the publisher of the images.
        """
        self._topic, said = images.topic_name, time.monotonic()
        while not (self._settled() and images.get_subscription_count()):
            if time.monotonic() - said > SAY_SECONDS:
                said = time.monotonic()
                running = said - self._heard < SAY_SECONDS
                self._node.get_logger().info(f"waiting for {self._name}: {self._status if running else 'it is not running'}")
            self._spin(SPIN_SECONDS)

    def wait_for_room(self) -> None:
        """Waits until the node has room for the next frame; with ``frame_policy: latest`` it always has."""
        while self._limit is not None and self.frames.unsettled >= self._limit:
            self._spin(SPIN_SECONDS)

    def wait_for_answers(self) -> None:
        """Waits until the outcome of every frame is known."""
        while self.frames.unsettled:
            self._spin(SPIN_SECONDS)

    def _settled(self) -> bool:
        return self._same > (0 if "(reliable" in self._input else PATIENCE)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.hardware_id == self._name:
                self._heard = time.monotonic()
                values = {entry.key: entry.value for entry in status.values}
                if "frames_received" in values:
                    self._on_camera(status.name, values)
                else:
                    self._on_model(status.message, values)

    def _on_camera(self, name: str, values: dict[str, str]) -> None:
        read, topic = values["input"], values["input"].partition(" ")[0]
        if self._camera is None and topic == self._topic:
            self._camera = name
            camera = name.partition(": camera ")[2]
            masks = f"{self._name}/{camera}/masks" if camera else f"{self._name}/masks"
            self._node.create_subscription(InstanceMaskArray, masks, self._on_masks, QoSProfile(depth=100))
        if name == self._camera:
            self._same = self._same + 1 if read == self._input else 0
            self._input = read
            self.frames.add_counts(values)
        elif self._camera is None and topic:
            self._status = f"it reads {topic}, not {self._topic}"

    def _on_model(self, message: str, values: dict[str, str]) -> None:
        if message != "active" or not self._status:
            self._status = f"it is {message}"
        if "frame_policy" in values:
            self._limit = min(UNANSWERED, int(values["queue_size"])) if values["frame_policy"] == "every" else None

    def _on_masks(self, message: Any) -> None:
        self.frames.add_masks(nanoseconds(message.header.stamp))
