# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The example planner in both languages: the same answers to vectors and to a clip; built as a consumer of the package."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from fcis_ros.data.synthetic.scenes import CLASS_NAMES, SyntheticScenes
from fcis_ros.metrics.track_scores import true_instances

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "planner"
VECTORS = json.loads((EXAMPLE / "vectors.json").read_text())


def load(name: str) -> ModuleType:
    """A module of the example, which is not an installed package."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLE / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


planner = load("planner")


def mask(roi: list[int], runs: list[int]) -> SimpleNamespace:
    """With the fields of an ``InstanceMask``."""
    box = SimpleNamespace(**dict(zip(("x_offset", "y_offset", "width", "height"), roi, strict=True)))
    return SimpleNamespace(roi=box, area=sum(runs[1::2]), rle=runs)


@pytest.fixture(scope="module")
def clip() -> list[tuple[int, int, list[SimpleNamespace]]]:
    """Height, width and masks of 25 s of a street with a car that comes near."""
    frames = []
    for sample in SyntheticScenes(4).clip(0, 75, 3.0):
        found = true_instances(sample, CLASS_NAMES)
        rois = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in found.boxes.tolist()]
        masks = [mask(roi, runs.tolist()) for roi, runs in zip(rois, found.runs, strict=True)]
        frames.append((found.height, found.width, masks))
    return frames


def answers(frames: list[tuple[int, int, list[SimpleNamespace]]]) -> list[str]:
    decider = planner.Planner()
    return [planner.NAMES[decider.update(masks, height, width)] for height, width, masks in frames]


def frames_of(case: dict) -> list[tuple[int, int, list[SimpleNamespace]]]:
    masks = [[mask(entry["roi"], entry["rle"]) for entry in frame] for frame in case["frames"]]
    return [(case["height"], case["width"], frame) for frame in masks]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_planner_python_vectors_match(case):
    assert answers(frames_of(case)) == case["commands"]


def test_planner_clip_has_every_command_without_flutter(clip):
    given = answers(clip)
    assert set(given) == set(planner.NAMES)
    changes = [frame for frame in range(1, len(given)) if given[frame] != given[frame - 1]]
    strict = {name: index for index, name in enumerate(planner.NAMES)}
    for frame in changes:
        if strict[given[frame]] < strict[given[frame - 1]]:  # laxer by one step, after three frames of the same
            assert strict[given[frame - 1]] - strict[given[frame]] == 1
            assert len(set(given[max(frame - 2, 0) : frame])) == 1


def test_planner_nearer_contact_never_relaxes():
    for row in np.linspace(0, 1, 101):
        decider = planner.Planner()
        before = [decider.decide(0.0) for _ in range(6)][-1]
        assert before == planner.GO and decider.decide(row) >= before


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    """The example built as a consumer of the installed package, by ``find_package(fcis_ros)``."""
    build = tmp_path_factory.mktemp("planner")
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").replace(os.pathsep, ";")
    python = f"-DPython3_EXECUTABLE={sys.executable}"
    configure = ["cmake", "-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={prefixes}", python, "-DCMAKE_BUILD_TYPE=Debug"]
    for command in (configure, ["cmake", "--build", build]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "planner_replay"


def replay(program: Path, frames: list[tuple[int, int, list[SimpleNamespace]]]) -> list[str]:
    lines = []
    for height, width, masks in frames:
        numbers = [height, width, len(masks)]
        for mask in masks:
            roi = mask.roi
            numbers += [roi.x_offset, roi.y_offset, roi.width, roi.height, mask.area, len(mask.rle), *mask.rle]
        lines.append(" ".join(map(str, numbers)))
    done = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.ros
def test_planner_cpp_equals_python(program, clip):
    for case in VECTORS:
        assert replay(program, frames_of(case)) == case["commands"], case["name"]
    assert replay(program, clip) == answers(clip)


@pytest.mark.ros
def test_planner_cpp_stops_at_invalid_mask(program):
    free = (100, 100, [])
    broken = (100, 100, [mask([90, 0, 20, 10], [0, 200])])  # outside the image
    assert replay(program, [free] * 6 + [broken, free, free, free]) == ["stop", "stop", "slow", "slow", "slow", "go"] + [
        "stop", "stop", "stop", "slow",
    ]  # fmt: skip


@pytest.mark.ros
def test_planner_node_answers_masks_and_silence():
    import rclpy
    from std_msgs.msg import String

    from fcis_ros.msg import InstanceMaskArray

    process = subprocess.Popen([sys.executable, EXAMPLE / "planner_node.py"])
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("planner_test", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    commands: list[str] = []
    node.create_subscription(String, "command", lambda message: commands.append(message.data), 10)
    publisher = node.create_publisher(InstanceMaskArray, "masks", 10)
    end = time.monotonic() + 120
    try:
        while "go" not in commands and time.monotonic() < end:  # a free lane
            publisher.publish(InstanceMaskArray(height=100, width=100))
            executor.spin_once(timeout_sec=0.05)
        assert commands[-1] == "go"
        while commands[-1] != "stop" and time.monotonic() < end:  # no masks any more
            executor.spin_once(timeout_sec=0.05)
        assert commands[-1] == "stop"
    finally:
        process.terminate()
        assert process.wait(120) in (0, -15)
        node.destroy_node()
        rclpy.shutdown(context=context)


@pytest.mark.ros
@pytest.mark.parametrize("ended", [True, False])
def test_planner_node_when_the_context_ends_before_a_wait_ends_in_silence(monkeypatch, ended):
    import rclpy

    planner_node = load("planner_node")

    def spin(node):
        if ended:
            rclpy.shutdown()
        raise RuntimeError("failed to initialize wait set: the given context is not valid")  # the base of rclpy's RCLError

    monkeypatch.setattr(rclpy, "spin", spin)
    if ended:
        planner_node.main()
    else:
        with pytest.raises(RuntimeError, match="wait set"):
            planner_node.main()
    assert not rclpy.ok()
