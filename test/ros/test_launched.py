# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""camera.launch.py and replay.launch.py by the real launch and launch_ros, with real processes."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file

from fcis_ros.bags.writer import record
from fcis_ros.data.frame_sources import Frame

pytest.importorskip("rclpy")
from ament_index_python.packages import get_package_share_directory

from fcis_ros.msg import InstanceMaskArray

pytestmark = [pytest.mark.ros, pytest.mark.launch]

LAUNCHER = Path(__file__).with_name("launcher.py")
NODES = ("fcis_node", "camera_source")


class Launch:
    """A launch in a separate process group; its output goes to a file."""

    def __init__(self, file: str, arguments: dict[str, object], log: Path):
        path = Path(get_package_share_directory("fcis_ros")) / "launch" / file
        command = [sys.executable, str(LAUNCHER), str(path), *(f"{name}:={value}" for name, value in arguments.items())]
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def children(self) -> dict[str, int]:
        """{executable: process id} of the nodes that run."""
        found = {}
        for folder in Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                group = os.getsid(int(folder.name))
            except (OSError, ValueError):
                continue
            names = {Path(word).name for word in words}
            found |= {name: int(folder.name) for name in NODES if group == self.process.pid and name in names}
        return found


@pytest.fixture
def launched(tmp_path, graph, tiny_checkpoint):
    """Starts a launch; nothing of it may be left in the end."""
    started = []

    def run(file: str = "camera.launch.py", **arguments: object) -> Launch:
        given = {"model": tiny_checkpoint, "device": "cpu", **arguments}
        started.append(Launch(file, given, tmp_path / f"launch_{len(started)}.log"))
        return started[-1]

    yield run
    for launch in started:
        if launch.process.poll() is None:
            os.killpg(launch.process.pid, signal.SIGKILL)
        assert "Traceback" not in launch.output, launch.output


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    return path


def heard(node, topic: str) -> list:
    messages = []
    node.create_subscription(InstanceMaskArray, topic, messages.append, 10)
    return messages


def test_launch_photo_gives_masks_and_interrupt_ends_all(launched, graph, photo, wait_for):
    """In a namespace, with arguments for both nodes; the answer carries the source's frame."""
    masks = heard(graph, "/robot/fcis_node/masks")
    launch = launched(source=photo, rate=5, namespace="robot", frame_id="left_optical", score_threshold=0.25, log_level="warn")
    wait_for(lambda: len(masks) > 3, "masks")
    assert (masks[0].header.frame_id, masks[0].height, masks[0].width) == ("left_optical", 60, 80)
    assert set(launch.children) == set(NODES)
    launch.process.send_signal(signal.SIGINT)
    assert launch.process.wait(60) == 0 and not launch.children


def test_launch_arguments_override_params_file(launched, graph, photo, tmp_path, wait_for):
    from rcl_interfaces.srv import GetParameters

    settings = tmp_path / "mine.yaml"
    settings.write_text("/**:\n  ros__parameters:\n    score_threshold: 0.125\n    max_instances: 7\n")
    launch = launched(source=photo, rate=2, params_file=settings, score_threshold=0.75, score_treshold=0.3)
    client = graph.create_client(GetParameters, "/fcis_node/get_parameters")
    wait_for(client.service_is_ready, "the node's parameters")
    future = client.call_async(GetParameters.Request(names=["score_threshold", "max_instances"]))
    wait_for(future.done, "an answer")
    first, second = future.result().values
    assert (first.double_value, second.integer_value) == (0.75, 7)
    hint = "argument score_treshold is unknown and has no effect; did you mean score_threshold?"
    wait_for(lambda: hint in launch.output, "the hint")


@pytest.mark.parametrize(
    ("file", "arguments", "message"),
    [("camera.launch.py", {"score_threshold": "1.5"}, "argument score_threshold: '1.5' is not within 0.0 to 1.0"),
     ("camera.launch.py", {"loop": "often"}, "loop"),
     ("replay.launch.py", {"rviz": "false", "bag": "/nowhere"}, "argument bag: '/nowhere' does not exist"),
     ("replay.launch.py", {"rviz": "false"}, "'bag'")],
)  # fmt: skip
def test_launch_wrong_argument_starts_nothing(launched, file, arguments, message):
    launch = launched(file, **arguments)
    assert launch.process.wait(60) == 1
    assert message in launch.output and "process started" not in launch.output


def test_launch_bad_model_ends_with_status_of_node(launched, photo, tmp_path):
    """A model that is one by its header: only the node finds out that it is not."""
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "none.safetensors", {"format_version": "3", "config": "{}"})
    launch = launched(source=photo, model=tmp_path / "none.safetensors")
    assert launch.process.wait(120) == 2 and not launch.children
    assert "cannot start: " in launch.output


@pytest.mark.parametrize("name", NODES)
def test_launch_killed_process_ends_the_others(launched, graph, photo, wait_for, name):
    masks = heard(graph, "/fcis_node/masks")
    launch = launched(source=photo, rate=5)
    wait_for(lambda: masks, "masks")
    os.kill(launch.children[name], signal.SIGKILL)
    assert launch.process.wait(60) == 128 + signal.SIGKILL and not launch.children


@pytest.fixture
def recording(tmp_path) -> Path:
    """Fifty frames in five seconds."""
    bag, pixels = tmp_path / "bag", np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    record([Frame(f"{number}.png", (number + 1) * 100_000_000, pixels) for number in range(50)], bag)
    return bag


@pytest.mark.parametrize(("rate", "name"), [(0.0, ""), (100.0, "/robot")])
def test_replay_every_frame_is_answered(launched, recording, rate, name):
    """The end of the recording is the end of the launch."""
    launch = launched("replay.launch.py", bag=recording, rviz="false", frame_policy="every", rate=rate, namespace=name)
    assert launch.process.wait(120) == 0 and not launch.children
    assert "50 frames sent, 50 answered, 0 lost" in launch.output


@pytest.mark.parametrize(("policy", "status"), [("latest", 0), ("every", 2)])
def test_replay_lost_frames_are_an_error_with_policy_every(launched, recording, policy, status):
    launch = launched("replay.launch.py", bag=recording, rviz="false", frame_policy=policy, rate=1000.0, max_age_ms=1)
    assert launch.process.wait(120) == status and not launch.children
    assert re.search(r"50 frames sent, \d+ answered, [1-9]\d* lost \(", launch.output)


def test_replay_in_loop_does_not_end(launched, graph, recording, wait_for):
    masks = heard(graph, "/fcis_node/masks")
    launch = launched("replay.launch.py", bag=recording, rviz="false", loop="true", rate=100.0)
    wait_for(lambda: len(masks) > 50, "masks of the second round")
    launch.process.send_signal(signal.SIGINT)
    assert launch.process.wait(60) == 0 and not launch.children
    assert "frames sent" in launch.output
