# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Plays a recorded clip to a node process in real time and records its answers."""

import contextlib
import os
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import rclpy
from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosbags.rosbag2 import Reader, Writer
from sensor_msgs.msg import Image

from fcis_ros.bags.writer import mcap_writer
from fcis_ros.dds_profile import profile_variable
from fcis_ros.errors import InputError
from fcis_ros.messages.typestore import IMAGE, IMAGE_TOPIC, MASKS, header_stamp, message_types
from fcis_ros.msg import InstanceMaskArray

NODE = "fcis_node"
MASKS_TOPIC = f"/{NODE}/masks"
OVERLAY_TOPIC = f"/{NODE}/overlay"
# Variables of DDS vendors, Zenoh and SROS 2 that also decide which nodes communicate.
GRAPH_VARIABLES = (
    "ROS_LOCALHOST_ONLY", "ROS_STATIC_PEERS", "ROS_DISCOVERY_SERVER", "ROS_SUPER_CLIENT", "FASTRTPS_DEFAULT_PROFILES_FILE",
    "FASTDDS_DEFAULT_PROFILES_FILE", "CYCLONEDDS_URI", "ZENOH_SESSION_CONFIG_URI", "ZENOH_ROUTER_CONFIG_URI",
    "ZENOH_CONFIG_OVERRIDE", "ROS_SECURITY_ENABLE", "ROS_SECURITY_STRATEGY", "ROS_SECURITY_KEYSTORE",
    "ROS_SECURITY_ENCLAVE_OVERRIDE",
)  # fmt: skip
START_SECONDS = 120.0  # loading a large model on a slow machine
SILENCE_SECONDS = 10.0  # silence after the last frame that ends the wait for answers


@dataclass
class Measured:
    """Measurements from outside the node.

    Attributes:
        sent: {stamp: seconds from the first frame to this one}, when they were published.
        answered: {stamp: milliseconds from publishing the frame to receiving its masks}.
        seconds: time from publishing the first frame to the last answer.
        stage_ms: {stage: median milliseconds} of all answered frames, from ``~/timing``.
        facts: {key: value} of the node's last diagnostics.
    """

    sent: dict[int, float] = field(default_factory=dict)
    answered: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    stage_ms: dict[str, float] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


def share() -> Path:
    """Returns the ``share`` folder of the installed package.

    Raises:
        InputError: the package is not built for ROS in this environment.
    """
    try:
        return Path(get_package_share_directory("fcis_ros"))
    except (PackageNotFoundError, OSError):  # OSError: no ROS environment at all
        raise InputError("package fcis_ros: not installed in a ROS environment; build it with make or colcon") from None


@contextlib.contextmanager
def isolated(domain: int | None = None) -> Iterator[None]:
    """Keeps this process and the nodes that it starts on this machine, in a private domain, with memory for large images.

    Settings of the environment for a robot's graph (domain, discovery server, peers, security) are suspended meanwhile.

    Args:
        domain: ROS domain to use; None chooses one other than the environment's.
    """
    chosen = domain if domain is not None else 1 + os.getpid() % 101
    if domain is None and str(chosen) == os.environ.get("ROS_DOMAIN_ID"):
        chosen = 1 + chosen % 101
    profile = str(share() / "config" / "fastdds_large_images.xml")
    wanted = dict.fromkeys(GRAPH_VARIABLES) | {"ROS_DOMAIN_ID": str(chosen), profile_variable(): profile}
    if os.environ.get("ROS_DISTRO") == "humble":  # which has an older setting
        wanted |= {"ROS_LOCALHOST_ONLY": "1"}
    else:
        wanted |= {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    before = {name: os.environ.get(name) for name in wanted}
    _set_environment(wanted)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def replay(
    clip: Path,
    output: Path,
    parameters: Mapping[str, str | float],
    log: Path,
    rate: float | None = None,
    domain: int | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Measured:
    """Starts the node, plays ``clip`` to it, and records its masks and overlays.

    Args:
        clip: recording that ``bags.writer.record`` wrote.
        output: recording to create.
        parameters: {name: value} of the node's parameters.
        log: file for the output of the node.
        rate: rate in frames per second; None keeps the spacing of the stamps.
        domain: ROS domain, see ``isolated``.
        progress: function called after every published frame.

    Raises:
        InputError: the node is not installed, does not start, or ends early.
        OSError: the answers cannot be written, for instance because the disk is full.
    """
    namespace = f"/demo_{os.getpid()}"
    with (
        isolated(domain),
        mcap_writer(output) as writer,
        _node_process(namespace, parameters, log) as process,
        _Listener(namespace, writer) as listener,
    ):

        def check() -> None:
            _require_running(process, log)
            listener.require_healthy()

        listener.wait_until_active(check)
        for stamp, raw in _paced(clip, rate):
            listener.send(stamp, raw)
            progress()
            check()
        listener.wait_for_answers(check)
        check()
        return listener.measured()


@contextlib.contextmanager
def _node_process(namespace: str, parameters: Mapping[str, str | float], log: Path) -> Iterator[subprocess.Popen]:
    share()  # raises a clear error if the package is not installed
    command = [str(Path(get_package_prefix("fcis_ros")) / "lib" / "fcis_ros" / NODE), "--ros-args", "-r", f"__ns:={namespace}"]
    command += ["-r", f"image:={namespace}{IMAGE_TOPIC}"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={value}"]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _require_running(process: subprocess.Popen, log: Path) -> None:
    if process.poll() is not None:
        lines = log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
        raise InputError(f"{NODE} ended with status {process.returncode}: {lines[-1]}")


def _paced(clip: Path, rate: float | None) -> Iterator[tuple[int, bytes]]:
    """Yields stamp and message of every image when it is due."""
    with Reader(clip) as reader:
        images = [connection for connection in reader.connections if connection.topic == IMAGE_TOPIC]
        start = first = None
        for index, (_, stamp, raw) in enumerate(reader.messages(images)):
            if start is None:
                start, first = time.monotonic(), stamp
            due = start + (index / rate if rate else (stamp - first) / 1e9)
            time.sleep(max(0.0, due - time.monotonic()))
            yield stamp, bytes(raw)


class _Listener:
    """A ROS node that publishes frames and records the answers with their times of arrival."""

    def __init__(self, namespace: str, writer: Writer):
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("replay", namespace=namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._path = f"{namespace}/{NODE}"
        self._sent: dict[int, float] = {}
        self._arrived: dict[int, float] = {}
        self._overlays: set[int] = set()
        self._failure: Exception | None = None
        self._timed: set[int] = set()
        self._stages: dict[str, list[float]] = {}
        self._facts: dict[str, str] = {}
        self._last_arrival = 0.0
        self._last_facts = 0.0

        store = message_types()
        masks = writer.add_connection(MASKS_TOPIC, MASKS, typestore=store)
        overlay = writer.add_connection(OVERLAY_TOPIC, IMAGE, typestore=store)

        def on_masks(raw: bytes) -> None:
            self._last_arrival = time.monotonic()
            self._arrived.setdefault(header_stamp(raw), self._last_arrival)
            writer.write(masks, time.time_ns(), raw)

        def on_overlay(raw: bytes) -> None:
            self._last_arrival = time.monotonic()
            self._overlays.add(header_stamp(raw))
            writer.write(overlay, time.time_ns(), raw)

        reliable = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
        self._frames = self._node.create_publisher(Image, f"{namespace}{IMAGE_TOPIC}", QoSProfile(depth=2))
        self._subscriptions = [
            self._node.create_subscription(InstanceMaskArray, f"{self._path}/masks", on_masks, reliable, raw=True),
            self._node.create_subscription(Image, f"{self._path}/overlay", on_overlay, reliable, raw=True),
            self._node.create_subscription(DiagnosticArray, f"{self._path}/timing", self._on_timing, reliable),
            self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10),
        ]
        self._state = self._node.create_client(GetState, f"{self._path}/get_state")

    def __enter__(self) -> "_Listener":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._executor.shutdown(timeout_sec=5)
        self._thread.join(timeout=5)
        self._node.destroy_node()
        self._context.try_shutdown()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except Exception as error:  # noqa: BLE001 (raised in the thread that waits for this one)
            self._failure = error

    def require_healthy(self) -> None:
        """Raises the error that ended the recording thread, if any: otherwise its answers would count as lost."""
        if self._failure is not None:
            raise self._failure

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if self._path in (status.hardware_id, status.name.split(":")[0]):
                self._last_facts = time.monotonic()
                self._facts |= {entry.key: entry.value for entry in status.values}

    def _on_timing(self, message: DiagnosticArray) -> None:
        self._timed.add(message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec)
        for status in message.status:
            for entry in status.values:
                self._stages.setdefault(entry.key, []).append(float(entry.value))

    def wait_until_active(self, check: Callable[[], None]) -> None:
        """Waits until the node is active and every topic is connected, so that discovery loses no frame."""
        deadline = time.monotonic() + START_SECONDS
        request = None
        active = False
        while not (active and self._connected()):
            check()
            if time.monotonic() > deadline:
                raise InputError(f"{NODE} was not active after {START_SECONDS:.0f} s")
            if request is not None and request.done():
                active = request.result().current_state.id == State.PRIMARY_STATE_ACTIVE
                request = None
            if request is None and not active and self._state.service_is_ready():
                request = self._state.call_async(GetState.Request())
            time.sleep(0.1)

    def _connected(self) -> bool:
        outputs = all(self._node.count_publishers(f"{self._path}/{name}") for name in ("masks", "overlay", "timing"))
        return outputs and self._frames.get_subscription_count() > 0

    def send(self, stamp: int, raw: bytes) -> None:
        self._sent[stamp] = time.monotonic()
        self._frames.publish(raw)

    def wait_for_answers(self, check: Callable[[], None]) -> None:
        """Waits for masks, overlay and timing of the last frame, which the node always processes, and for later counters."""
        last, self._last_arrival = next(reversed(self._sent)), time.monotonic()
        while time.monotonic() - self._last_arrival < SILENCE_SECONDS:
            answered = last in self._arrived and last in self._overlays and last in self._timed
            if answered and self._last_facts > self._last_arrival:
                return
            check()
            time.sleep(0.02)

    def measured(self) -> Measured:
        first = next(iter(self._sent.values()))
        arrived = {stamp: moment for stamp, moment in self._arrived.items() if stamp in self._sent}
        return Measured(
            sent={stamp: moment - first for stamp, moment in self._sent.items()},
            answered={stamp: (moment - self._sent[stamp]) * 1000 for stamp, moment in arrived.items()},
            seconds=max(arrived.values(), default=first) - first,
            stage_ms={name: statistics.median(values) for name, values in self._stages.items()},
            facts=dict(self._facts),
        )
