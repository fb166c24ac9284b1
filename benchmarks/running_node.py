# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A separate node process, driven and observed from outside, for benchmarks of the whole node."""

import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from ament_index_python.packages import get_package_prefix
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from fcis_ros.evaluation.replay import isolated
from fcis_ros.messages import image_messages
from fcis_ros.msg import InstanceMaskArray
from fcis_ros.ros import header_checks

START_SECONDS = 120.0


class RunningNode:
    """``fcis_node`` in a private domain, with publishers of its images and subscribers of its outputs.

    Attributes:
        answers: (camera, second of ``time.monotonic`` of the answer, milliseconds from publishing to receiving), as they come.
        facts: {status: values} of the last diagnostics.
        state: life cycle state in the diagnostics.
    """

    def __init__(self, **parameters: Any):
        self._parameters = parameters
        self._cameras = parameters.get("cameras", "").split(",")
        self.answers: list[tuple[str, float, float]] = []
        self.facts: dict[str, dict[str, str]] = {}
        self.stage_ms: list[dict[str, float]] = []

    def __enter__(self) -> "RunningNode":
        self._isolated = isolated()
        self._isolated.__enter__()
        command = [f"{get_package_prefix('fcis_ros')}/lib/fcis_ros/fcis_node", "--ros-args", "--log-level", "warn"]
        for name, value in self._parameters.items():
            text = f"[{value}]" if name == "cameras" else str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name}:={text}"]
        self._process = subprocess.Popen(command)
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("benchmark", context=self._context)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._images = {}
        for camera in self._cameras:
            self._images[camera] = self._node.create_publisher(Image, f"{camera}/image".lstrip("/"), QoSProfile(depth=5))
            topic = f"fcis_node/{camera}".rstrip("/")
            self._node.create_subscription(
                InstanceMaskArray, f"{topic}/masks", lambda masks, camera=camera: self._answered(camera, masks), 10
            )
            self._node.create_subscription(DiagnosticArray, f"{topic}/timing", self._timed, 10)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        self._executor.shutdown(timeout_sec=5)
        self._context.try_shutdown()
        self._thread.join(5)
        self._isolated.__exit__(None, None, None)

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.facts[status.name.split(": ", 1)[1]] = {entry.key: entry.value for entry in status.values}

    def _answered(self, camera: str, masks: InstanceMaskArray) -> None:
        sent = header_checks.nanoseconds(masks.header.stamp) / 1e6
        self.answers.append((camera, time.monotonic(), time.time_ns() / 1e6 - sent))

    def _timed(self, message: DiagnosticArray) -> None:
        self.stage_ms.append({entry.key: float(entry.value) for entry in message.status[0].values})

    @property
    def state(self) -> str:
        return self.facts.get("model", {}).get("state", "")

    def wait_for_state(self, name: str) -> None:
        """Waits until the diagnostics name a state of the life cycle."""
        deadline = time.monotonic() + START_SECONDS
        while self.state != name:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"fcis_node is not {name} (status {self._process.poll()})")
            time.sleep(0.05)

    def warm_up(self, pixels: np.ndarray) -> None:
        """Sends frames until every camera has answered, waits until all are done, then discards the answers."""
        self.wait_for_state("active")
        deadline = time.monotonic() + START_SECONDS
        while {name for name, _, _ in self.answers} != set(self._cameras) or len(self.answers) < 5:
            if time.monotonic() > deadline:
                raise SystemExit("fcis_node does not answer")
            for camera in self._cameras:
                self.send(camera, pixels)
            time.sleep(0.5)
        time.sleep(2.5)  # two diagnostics at least
        while any(values.get("frames_waiting", "0") != "0" for values in self.facts.values()):
            time.sleep(0.1)
        self.answers.clear()
        self.stage_ms.clear()

    def send(self, camera: str, pixels: np.ndarray) -> None:
        """Publishes one image, stamped now."""
        message = Image()
        image_messages.fill_image(message, pixels, "rgb8")
        message.header.frame_id = camera or "camera"
        now = time.time_ns()
        message.header.stamp.sec, message.header.stamp.nanosec = now // 10**9, now % 10**9
        self._images[camera].publish(message)

    def change_state(self, transition: int) -> None:
        """One transition of the life cycle, to its end."""
        client = self._node.create_client(ChangeState, "fcis_node/change_state")
        client.wait_for_service(START_SECONDS)
        future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
        while not future.done():
            time.sleep(0.01)
        if not future.result().success:
            raise SystemExit(f"transition {transition} failed")

    @property
    def memory_mb(self) -> float:
        """Memory of the process with its share of libraries, without images in shared memory."""
        lines = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_File:"))) / 1000
