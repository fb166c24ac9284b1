"""Real processes on a real (local) ROS graph."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

LONG = 60.0  # seconds that a loaded machine may take for anything


def wait_for(condition: Callable[[], object], what: str, seconds: float = LONG):
    """Polls until ``condition()`` is true and returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.02)
    return value


class Process:
    """A node of this package, started as a user would start it; its output goes to a file."""

    def __init__(self, executable: str, parameters: dict, remappings: dict, log: Path):
        from ament_index_python.packages import get_package_prefix

        command = [f"{get_package_prefix('fcis_ros')}/lib/fcis_ros/{executable}", "--ros-args"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={value}"]
        for name, value in remappings.items():
            command += ["-r", f"{name}:={value}"]
        self._log = log
        with log.open("wb") as file:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float = LONG) -> int:
        return self._process.wait(seconds)

    def interrupt(self, number: int = signal.SIGINT) -> int:
        self._process.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session", name="wait_for")
def _wait_for():
    return wait_for


@pytest.fixture
def start(tmp_path):
    """Starts executables; whatever still runs at the end is killed."""
    started = []

    def run(executable: str, parameters: dict | None = None, remappings: dict | None = None) -> Process:
        process = Process(executable, parameters or {}, remappings or {}, tmp_path / f"{executable}_{len(started)}.log")
        started.append(process)
        return process

    yield run
    for process in started:
        if process.running:
            process.kill()


@pytest.fixture
def graph(monkeypatch):
    """A node of the test's own, spun in a thread; processes started after it share its settings."""
    import threading

    import rclpy
    from ament_index_python.packages import get_package_share_directory
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    profile = f"{get_package_share_directory('fcis_ros')}/config/fastdds_large_images.xml"
    old = os.environ.get("ROS_DISTRO") == "humble"
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE" if old else "FASTDDS_DEFAULT_PROFILES_FILE", profile)
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_DOMAIN_ID", os.environ.get("ROS_DOMAIN_ID", "83"))
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


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory) -> Path:
    """An untrained model that is small and fast, and finds something in every image."""
    import torch

    from fcis_ros.config import ModelConfig
    from fcis_ros.model import checkpoint
    from fcis_ros.model.fcis import FCIS

    config = ModelConfig(
        class_names=("car", "pedestrian", "bicyclist"), backbone="resnet18", width=8, reduced_channels=16, rpn_channels=16,
        short_side=96, max_side=160, anchor_scales=(1.0, 2.0, 4.0), rpn_post_nms=30, max_instances=20,
    )  # fmt: skip
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    checkpoint.save(path, FCIS(config), {})
    return path
