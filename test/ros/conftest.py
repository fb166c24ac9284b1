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
