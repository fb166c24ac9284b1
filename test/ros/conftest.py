# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Real processes on a real (local) ROS graph."""

import contextlib
import os
import re
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import preloaded
import pytest

LONG = 120.0  # seconds that a loaded machine may take for anything
IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def wait_for(condition: Callable[[], object], what: str, seconds: float = LONG):
    """Polls until ``condition()`` is true and returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.02)
    return value


class Process:
    """A node of this package, or a script of the test, with its output in a file.

    Args:
        executable: name of one of the package's, or path of a script.
        parameters: node parameters.
        remappings: names to remap.
        log: file for the output.
        new_interpreter: whether it starts as a user would start it, PyTorch and rclpy not yet imported.
    """

    def __init__(self, executable: str | Path, parameters: dict, remappings: dict, log: Path, new_interpreter: bool):
        from ament_index_python.packages import get_package_prefix

        path = executable if Path(executable).suffix == ".py" else f"{get_package_prefix('fcis_ros')}/lib/fcis_ros/{executable}"
        command = [str(path), "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        for name, value in remappings.items():
            command += ["-r", f"{name}:={value}"]
        log.touch()
        self.name = log.stem
        self._log = log
        self._process = preloaded.start(command, log, new_interpreter)

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def wait(self, seconds: float = LONG) -> int:
        """Waits for the end and returns the status, -N after signal N."""
        self._process.join(seconds)
        assert not self.running, f"waited {seconds:.0f} s in vain for the end of the process"
        return self._process.exitcode

    def interrupt(self, number: int = signal.SIGINT) -> int:
        self.send_signal(number)
        return self.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def account(self) -> dict[str, dict[str, int]]:
        """{camera: {what: frames}} as the node said at its end; that it adds up is checked here, for every test."""
        accounts = {}
        for name, received, rest in re.findall(r"account\]: (?:(\w+): )?(\d+) frames received: (.*)", self.output):
            accounts[name] = {what: int(count) for count, what in re.findall(r"(\d+) (\w+)", rest)}
            assert int(received) == sum(accounts[name].values()) and accounts[name]["waiting"] == 0, accounts
        return accounts

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it may end at any moment
            if self.running:
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.interrupt(signal.SIGKILL)


@pytest.fixture(scope="session", name="wait_for")
def _wait_for():
    return wait_for


@pytest.fixture(scope="session")
def _server():
    """What forks nodes starts before a test changes the environment."""
    preloaded.start_server()


@pytest.fixture
def start(tmp_path, _server):
    """Starts executables, files or scripts; whatever still runs at the end is killed. A failed test shows their output."""
    started = []

    def run(
        executable: str | Path, parameters: dict | None = None, remappings: dict | None = None, new_interpreter: bool = False
    ) -> Process:
        if "\n" in str(executable):
            script = tmp_path / f"script_{len(started)}.py"
            script.write_text(executable)
            executable = script
        log = tmp_path / f"{Path(executable).name}_{len(started)}.log"
        process = Process(executable, parameters or {}, remappings or {}, log, new_interpreter)
        started.append(process)
        return process

    yield run
    for process in started:
        if process.running:
            process.kill()
        print(f"--- {process.name}, status {process.wait()}\n{process.output[-4000:]}")
    for process in started:
        if "Traceback" in process.output:
            pytest.fail(f"{process.name} has ended with a traceback:\n{process.output[-4000:]}", pytrace=False)
        assert isinstance(process.account, dict)


@pytest.fixture
def graph(monkeypatch):
    """A node for the test, spun in a thread; processes started after it share its settings."""
    import threading

    import rclpy
    from ament_index_python.packages import get_package_share_directory
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    from fcis_ros.dds_profile import profile_variable

    profile = f"{get_package_share_directory('fcis_ros')}/config/fastdds_large_images.xml"
    monkeypatch.setenv(profile_variable(), profile)
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("test_client", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin():
        try:
            executor.spin()
        except ExternalShutdownException:
            pass

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    yield node
    executor.shutdown(timeout_sec=5)
    context.try_shutdown()
    thread.join(5)
    node.destroy_node()


class Client:
    """Publishes images to a node and collects everything it says; its frames add up in every message of diagnostics."""

    PARTS = ("processed", "overwritten", "rejected", "stale", "failed", "waiting")

    def __init__(self, node):
        from diagnostic_msgs.msg import DiagnosticArray

        self.node, self.masks, self.wrong = node, {}, []
        self.status = defaultdict(lambda: (None, "", {}))  # level, message and values; what has not spoken yet has none
        self.progress: list[str] = []  # of loading, every step once
        self._publishers, self._sent = {}, 0
        node.create_subscription(DiagnosticArray, "/diagnostics", self._keep_status, 10)
        self.watch()

    def watch(self, camera: str = "") -> None:
        """Collects the masks of a camera."""
        from fcis_ros.msg import InstanceMaskArray

        topic = f"fcis_node/{camera}/masks" if camera else "fcis_node/masks"
        self.masks[camera] = []
        self.node.create_subscription(InstanceMaskArray, topic, self.masks[camera].append, 10)

    def _keep_status(self, message):
        for status in message.status:
            if status.hardware_id != "/fcis_node":  # a demo's, which chooses its domain without asking
                continue
            values = {entry.key: entry.value for entry in status.values}
            if "frames_received" in values:
                parts = sum(int(values[f"frames_{name}"]) for name in self.PARTS)
                if parts != int(values["frames_received"]):
                    self.wrong.append(values)
            name = status.name.split(": ", 1)[1]
            if values.get("loading", "") not in ("", *self.progress[-1:]):
                self.progress.append(values["loading"])
            self.status[name] = (status.level[0], status.message, values)

    def value(self, key: str, name: str = "camera") -> str:
        return self.status[name][2].get(key, "")

    def count(self, what: str, camera: str = "camera") -> int:
        return int(self.value(f"frames_{what}", camera) or -1)

    def publisher(self, topic: str = "image", kind=None, profile=None):
        from rclpy.qos import QoSProfile
        from sensor_msgs.msg import Image

        if topic not in self._publishers:
            self._publishers[topic] = self.node.create_publisher(kind or Image, topic, profile or QoSProfile(depth=5))
        return self._publishers[topic]

    def image(self, pixels=IMAGE, **changes):
        """A message with a unique stamp and frame."""
        from sensor_msgs.msg import Image

        from fcis_ros.messages import image_messages

        self._sent += 1
        message = Image()
        message.header.stamp.sec, message.header.stamp.nanosec = 1000 + self._sent, 123456789
        message.header.frame_id = f"camera_{self._sent}"
        image_messages.fill_image(message, pixels, "rgb8")
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    def send(self, pixels=IMAGE, topic: str = "image", **changes):
        message = self.image(pixels, **changes)
        self.publisher(topic).publish(message)
        return message

    def connected(self, topic: str = "image", masks: str = "fcis_node/masks") -> bool:
        """Whether the node has all that it needs to answer the next image, over a reliable subscription."""
        from rclpy.qos import ReliabilityPolicy

        matched = self.publisher(topic).get_subscription_count()
        profiles = [end.qos_profile.reliability for end in self.node.get_subscriptions_info_by_topic(topic)]
        settled = len(profiles) == matched and ReliabilityPolicy.RELIABLE in profiles
        return settled and self.node.count_publishers(masks) > 0

    def call(self, kind, service: str, request):
        """Calls a service and returns its answer."""
        client = self.node.create_client(kind, service)
        wait_for(client.service_is_ready, service)
        futures = [client.call_async(request)]
        sent = time.monotonic()

        def answered() -> bool:
            # The middleware drops the answer to a client that the node has not discovered yet, so a request is sent again; a
            # transition is not, because it would be made twice.
            if kind.__name__ != "ChangeState" and time.monotonic() > sent + 30 * len(futures):
                futures.append(client.call_async(request))
            return any(future.done() for future in futures)

        wait_for(answered, f"the answer of {service}")
        self.node.destroy_client(client)
        return next(future for future in futures if future.done()).result()

    def change_state(self, transition: int) -> bool:
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState

        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(ChangeState, "fcis_node/change_state", request).success

    def state(self) -> str:
        from lifecycle_msgs.srv import GetState

        return self.call(GetState, "fcis_node/get_state", GetState.Request()).current_state.label

    def set_parameters(self, **values):
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter

        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        return self.call(SetParameters, "fcis_node/set_parameters", SetParameters.Request(parameters=parameters)).results


@pytest.fixture
def calibration_text() -> str:
    """A calibration as camera_calibration writes it."""
    return """
image_width: 640
image_height: 480
camera_name: front
camera_matrix: {rows: 3, cols: 3, data: [500, 0, 320, 0, 501, 240, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [500, 0, 320, 0, 0, 501, 240, 0, 0, 0, 1, 0]}
"""


@pytest.fixture
def client(graph):
    client = Client(graph)
    yield client
    assert not client.wrong


@pytest.fixture
def serve(client, start, tiny_checkpoint):
    """Starts a node with a small model, and waits until it serves the client's images."""

    def run(executable: str = "fcis_node", **parameters) -> Process:
        process = start(executable, {"model": tiny_checkpoint, **parameters})
        wait_for(client.connected, "the node")
        return process

    return run


@pytest.fixture
def picture() -> np.ndarray:
    """The pixels that the client sends unless it is told others."""
    return IMAGE
