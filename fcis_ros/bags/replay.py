"""Plays a recorded clip to a node process in real time and records what comes back."""

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
from rosbags.rosbag2 import Reader
from sensor_msgs.msg import Image

from fcis_ros.bags.messages import IMAGE, IMAGE_TOPIC, header_stamp, message_types
from fcis_ros.bags.writing import mcap_writer
from fcis_ros.errors import InputError
from fcis_ros.msg import InstanceMaskArray

NODE = "fcis_node"
MASKS_TOPIC = f"/{NODE}/masks"
OVERLAY_TOPIC = f"/{NODE}/overlay"
MASKS = "fcis_ros/msg/InstanceMaskArray"
DOMAIN = "74"  # unless ROS_DOMAIN_ID is set: apart from a robot's, which is 0 by default
START_SECONDS = 120.0  # loading a large model on a slow machine
SILENCE_SECONDS = 10.0  # after the last frame: nothing for so long means that nothing will come


@dataclass
class Measured:
    """What was seen from outside the node.

    Attributes:
        sent: {stamp: second} at which each frame was published, from the first.
        answered: {stamp: milliseconds} from publishing a frame to receiving its masks.
        seconds: from the first frame's publishing to the last answer.
        stage_ms: median milliseconds per stage, from the node's diagnostics.
        facts: the node's last diagnostics values, by key.
    """

    sent: dict[int, float] = field(default_factory=dict)
    answered: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    stage_ms: dict[str, float] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


def share() -> Path:
    """The installed package's ``share`` folder.

    Raises:
        InputError: the package is not built for ROS in this environment.
    """
    try:
        return Path(get_package_share_directory("fcis_ros"))
    except (PackageNotFoundError, OSError):  # OSError: no ROS environment at all
        raise InputError("package fcis_ros: not installed in a ROS environment; build it with make or colcon") from None


def isolate() -> None:
    """Keeps this process, and nodes it starts, to this machine and to a domain apart, with room for large images."""
    profile = str(share() / "config" / "fastdds_large_images.xml")
    os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] = profile
    os.environ.setdefault("ROS_DOMAIN_ID", DOMAIN)
    if os.environ.get("ROS_DISTRO") == "humble":  # older names for the same settings
        os.environ |= {"ROS_LOCALHOST_ONLY": "1", "FASTRTPS_DEFAULT_PROFILES_FILE": profile}
    else:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


def replay(
    clip: Path,
    output: Path,
    parameters: Mapping[str, str | float],
    log: Path,
    rate: float | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Measured:
    """Starts the node, plays ``clip`` to it, and records its masks and overlays.

    Args:
        clip: a bag that ``writing.record`` wrote.
        output: the bag to create.
        parameters: of the node.
        log: file that takes the node's output.
        rate: frames per second; None keeps the spacing of the stamps.
        progress: called after every published frame.

    Raises:
        InputError: the node is not installed or does not start.
    """
    isolate()
    namespace = f"/demo_{os.getpid()}"
    with _node_process(namespace, parameters, log) as process, _Listener(namespace, output) as listener:
        listener.wait_until_active(lambda: _require_running(process, log))
        for stamp, raw in _paced(clip, rate):
            listener.send(stamp, raw)
            progress()
            _require_running(process, log)
        listener.wait_for_answers(lambda: _require_running(process, log))
        return listener.measured()


@contextlib.contextmanager
def _node_process(namespace: str, parameters: Mapping[str, str | float], log: Path) -> Iterator[subprocess.Popen]:
    share()  # the clear error if the package is not installed
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
    """(stamp, message) of every image, each at its time."""
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
    """The demo's own ROS node: publishes frames, records answers with their times of arrival."""

    def __init__(self, namespace: str, output: Path):
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
        self._stages: dict[str, list[float]] = {}
        self._facts: dict[str, str] = {}
        self._last_arrival = 0.0
        self._last_facts = 0.0

        store = message_types(share() / "msg")
        self._writer = mcap_writer(output)
        self._writer.open()
        masks = self._writer.add_connection(MASKS_TOPIC, MASKS, typestore=store)
        overlay = self._writer.add_connection(OVERLAY_TOPIC, IMAGE, typestore=store)

        def on_masks(raw: bytes) -> None:
            self._last_arrival = time.monotonic()
            self._arrived.setdefault(header_stamp(raw), self._last_arrival)
            self._writer.write(masks, time.time_ns(), raw)

        def on_overlay(raw: bytes) -> None:
            self._last_arrival = time.monotonic()
            self._overlays.add(header_stamp(raw))
            self._writer.write(overlay, time.time_ns(), raw)

        reliable = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
        self._frames = self._node.create_publisher(Image, f"{namespace}{IMAGE_TOPIC}", QoSProfile(depth=2))
        self._subscriptions = [
            self._node.create_subscription(InstanceMaskArray, f"{self._path}/masks", on_masks, reliable, raw=True),
            self._node.create_subscription(Image, f"{self._path}/overlay", on_overlay, reliable, raw=True),
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
        self._writer.close()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if self._path in (status.hardware_id, status.name.split(":")[0]):
                self._last_facts = time.monotonic()
                self._facts |= {entry.key: entry.value for entry in status.values}
                for entry in status.values:
                    if entry.key.startswith("stage_ms."):
                        self._stages.setdefault(entry.key.removeprefix("stage_ms."), []).append(float(entry.value))

    def wait_until_active(self, check: Callable[[], None]) -> None:
        """Returns when the node is active and every topic is connected, so that no frame is lost to discovery."""
        deadline = time.monotonic() + START_SECONDS
        asked = None
        active = False
        while not (active and self._connected()):
            check()
            if time.monotonic() > deadline:
                raise InputError(f"{NODE} was not active after {START_SECONDS:.0f} s")
            if asked is not None and asked.done():
                active = asked.result().current_state.id == State.PRIMARY_STATE_ACTIVE
                asked = None
            if asked is None and not active and self._state.service_is_ready():
                asked = self._state.call_async(GetState.Request())
            time.sleep(0.1)

    def _connected(self) -> bool:
        outputs = all(self._node.count_publishers(f"{self._path}/{name}") for name in ("masks", "overlay"))
        return outputs and self._frames.get_subscription_count() > 0

    def send(self, stamp: int, raw: bytes) -> None:
        self._sent[stamp] = time.monotonic()
        self._frames.publish(raw)

    def wait_for_answers(self, check: Callable[[], None]) -> None:
        """The node always gets to the newest frame: its masks and overlay are the end, and the counters after it."""
        last, self._last_arrival = next(reversed(self._sent)), time.monotonic()
        while time.monotonic() - self._last_arrival < SILENCE_SECONDS:
            if last in self._arrived and last in self._overlays and self._last_facts > self._last_arrival:
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
