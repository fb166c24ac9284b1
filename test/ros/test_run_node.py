# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""How the process of a node starts, is served and ends: bad arguments, missing libraries, signals at any moment."""

import importlib
import itertools
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.ros


def run(executable: str, arguments: list[str], without=(), **environment: str) -> subprocess.CompletedProcess:
    """Runs an executable to its end, with some variables removed and others set."""
    from ament_index_python.packages import get_package_prefix

    path = f"{get_package_prefix('fcis_ros')}/lib/fcis_ros/{executable}"
    removed = [word for name in without for word in ("-u", name)]
    command = ["env", *removed, *(f"{name}={value}" for name, value in environment.items()), path, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def started(executable: str, arguments: list[str], **environment: str) -> subprocess.CompletedProcess:
    return run(executable, ["--ros-args", *arguments], **environment)


@pytest.mark.parametrize(
    ("executable", "arguments", "message"),
    [
        ("fcis_node", ["--params-file", "/nowhere.yaml"], "'--params-file /nowhere.yaml'. Error: Error opening YAML file"),
        ("fcis_node", ["--params-file", "{tmp_path}/broken.yaml"], "broken.yaml"),
        ("fcis_node", ["-p", "rate:="], "parameter override rule: '-p rate:='"),
        ("camera_source", ["-r", "image:=1bad"], "remap rule: '-r image:=1bad'"),
        ("fcis_node", ["-r", "__node:=no-name"], "remap rule: '-r __node:=no-name'"),
        ("camera_source", ["--log-level", "loud"], "log level: '--log-level loud'"),
        ("fcis_node", ["--enclave", "relative"], "nclave name"),
        ("camera_source", ["--loud"], "unknown ROS arguments ['--loud']"),
    ],
)
def test_process_bad_ros_argument_is_one_line(tmp_path, executable, arguments, message):
    (tmp_path / "broken.yaml").write_text("/**:\n  ros__parameters:\n    - [score_threshold\n")
    process = started(executable, [argument.format(tmp_path=tmp_path) for argument in arguments])
    assert process.returncode == 2 and process.stdout == ""
    (line,) = (line for line in process.stderr.splitlines() if "[rcl]: Failed to parse" not in line)
    assert line.startswith(f"{executable}: ") and message in line and ".c:" not in line


@pytest.mark.parametrize("executable", ["fcis_node", "camera_source"])
@pytest.mark.parametrize("word", ["-h", "--help"])
def test_process_help_prints_usage(executable, word):
    process = run(executable, [word])
    assert process.returncode == 0 and not process.stderr
    assert process.stdout.startswith(f"usage: ros2 run fcis_ros {executable} ")
    module = importlib.import_module(f"fcis_ros.ros.{executable}")
    for row in (module.params if executable == "fcis_node" else module).PARAMETERS:
        assert f"\n  {row.name} (" in process.stdout


def test_process_argument_of_ros_is_no_question_for_help():
    process = run("camera_source", ["--ros-args", "-p", "source:=/nowhere", "-r", "--help:=x"])
    assert process.returncode == 2 and "usage" not in process.stdout


@pytest.mark.parametrize("executable", ["fcis_node", "camera_source"])
@pytest.mark.parametrize("workspace", [None, "{tmp_path}"])
def test_process_without_workspace_is_one_line(tmp_path, executable, workspace):
    """With no workspace sourced, and with another one."""
    variables = {"AMENT_PREFIX_PATH": workspace.format(tmp_path=tmp_path)} if workspace else {}
    process = run(executable, [], without=() if workspace else ("AMENT_PREFIX_PATH",), **variables)
    assert process.returncode == 2 and process.stdout == ""
    assert process.stderr == f"{executable}: this workspace is not sourced: source install/setup.bash first\n"


@pytest.mark.parametrize("executable", ["fcis_node", "camera_source"])
@pytest.mark.parametrize("missing", ["rclpy", "fcis_ros"])
def test_process_missing_module_is_one_line(tmp_path, executable, missing):
    (tmp_path / f"{missing}.py").write_text(f'raise ModuleNotFoundError("No module named {missing!r}")')
    process = run(executable, [], PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    assert process.returncode == 2 and process.stdout == ""
    remedy = "source the workspace first (source install/setup.bash)"
    assert process.stderr == f"{executable}: No module named {missing!r}; {remedy}\n"


@pytest.mark.parametrize("executable", ["fcis_node", "camera_source"])
def test_process_handles_signals_before_the_first_import(tmp_path, executable):
    """A module that is imported first, and asks for an interrupt before it has been."""
    (tmp_path / "fcis_ros.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    process = run(executable, [], PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    assert (process.returncode, process.stderr) == (0, "")


def test_process_missing_key_store_is_named(tmp_path):
    security = {"ROS_SECURITY_KEYSTORE": tmp_path, "ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce"}
    process = started("fcis_node", ["--enclave", "/fcis_ros/fcis_node"], **security)
    assert process.returncode == 2 and "Traceback" not in process.stderr
    assert f"fcis_node: SECURITY ERROR: directory '{tmp_path}/enclaves/fcis_ros/fcis_node' does not exist." in process.stderr


def test_node_openmp_threads_do_not_spin(start, tiny_checkpoint, wait_for, monkeypatch):
    """OpenMP says what it was told when PyTorch loads it; the node has told it before."""
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setenv("OMP_DISPLAY_ENV", "VERBOSE")
    process = start("fcis_node", {"model": tiny_checkpoint}, new_interpreter=True)
    wait_for(lambda: "GOMP_SPINCOUNT = '1000'" in process.output, "the settings of OpenMP")
    assert process.interrupt() == 0


def test_node_without_pytorch_names_it(graph, start, tmp_path, monkeypatch):
    """rclpy swallows exceptions of lifecycle transitions; this one must be heard."""
    (tmp_path / "torch.py").write_text("raise ImportError('No module named torch')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    process = start("fcis_node", new_interpreter=True)
    assert process.wait() == 2
    assert process.output.count("cannot start") == 1 and "cannot start: ImportError: No module named torch" in process.output


def test_spin_once_destroyed_event_is_ignored():
    """The moment in which a publisher's events are destroyed and still listed: rclpy alone ends with an error."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from std_msgs.msg import Empty

    from fcis_ros.ros import run_node

    context = rclpy.Context()
    rclpy.init(context=context)
    node, executor, ticks = rclpy.create_node("vanishing", context=context), SingleThreadedExecutor(context=context), []
    try:
        executor.add_node(node)
        node.create_timer(0.01, lambda: ticks.append(len(ticks)))
        publisher = node.create_publisher(Empty, "vanishing", 1)
        for event in publisher.event_handlers:
            event.destroy()
        with pytest.raises(Exception, match="destruction was requested"):
            executor.spin_once()
        run_node.spin_once(executor)
        assert not ticks
        node.destroy_publisher(publisher)
        while len(ticks) < 3:
            run_node.spin_once(executor)
    finally:
        node.destroy_node()
        rclpy.try_shutdown(context=context)


@pytest.mark.parametrize("ended", [True, False])
def test_spin_once_rcl_error_after_end_raises_shutdown(ended):
    """The moment after rclpy has found the context alive and before it makes a wait set of it."""
    import rclpy
    from rclpy.executors import ExternalShutdownException
    from rclpy.impl.implementation_singleton import rclpy_implementation

    from fcis_ros.ros import run_node

    context = rclpy.Context()
    rclpy.init(context=context)

    def fail(_seconds):
        if ended:
            context.shutdown()
        raise rclpy_implementation.RCLError("failed to initialize wait set: the given context is not valid")

    try:
        with pytest.raises(ExternalShutdownException if ended else rclpy_implementation.RCLError):
            run_node.spin_once(SimpleNamespace(spin_once=fail, context=context))
    finally:
        context.try_shutdown()


# rclpy's error, by its name, before there is a node; two threads that destroy the same publishers, after it.
ENDINGS = """
import sys

import rclpy
from rclpy.node import Node

from fcis_ros.ros import run_node


class RCLError(RuntimeError):
    pass


class Interrupted(Node):
    exit_status = 0

    def finish(self):
        pass

    def destroy_node(self):
        raise ValueError("list.remove(x): x not in list")


def fail():
    raise RCLError("error creating node: no security libraries, at /source/participant.cpp:406, at /source/node.c:249\\nmore")


sys.exit(run_node.run("fcis_node", {make}, lambda executor, node: {spin}))
"""


@pytest.mark.parametrize(
    ("make", "spin", "status", "said"),
    [
        ("fail", "None", 2, "fcis_node: error creating node: no security libraries"),
        ("lambda: Interrupted('interrupted')", "rclpy.shutdown()", 0, ""),
        ("lambda: Interrupted('interrupted')", "None", 1, "ValueError: list.remove(x): x not in list"),
    ],
    ids=["middleware error", "signal", "regular end"],
)
def test_run_errors_are_hidden_after_a_signal_only(make, spin, status, said):
    command = [sys.executable, "-c", ENDINGS.format(make=make, spin=spin)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status and "".join(done.stderr.splitlines()[-1:]) == said
    assert ("Traceback" in done.stderr) == (status == 1)


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for a signal."""
    with open(f"/proc/{pid}/status") as status:
        mask = next(line for line in status if line.startswith("SigCgt:")).split()[1]
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("executable", ["fcis_node", "camera_source"])
@pytest.mark.parametrize("moment", ["imports", "loading", "active"])
def test_process_many_signals_end_cleanly(graph, start, tiny_checkpoint, wait_for, executable, moment):
    process = start(executable, {"model": tiny_checkpoint} if executable == "fcis_node" else {}, new_interpreter=True)
    topic = "fcis_node/masks" if executable == "fcis_node" else "image_raw"
    reached = {
        "imports": lambda: catches(process.pid, signal.SIGTERM),  # Python itself does not
        "loading": lambda: executable in graph.get_node_names(),
        "active": lambda: graph.count_publishers(topic),
    }
    wait_for(reached[moment], moment)
    numbers = itertools.cycle((signal.SIGINT, signal.SIGTERM, signal.SIGINT))
    while process.running:
        process.send_signal(next(numbers))
        time.sleep(0.03)
    assert process.wait() == 0, process.output
    assert "Traceback" not in process.output and "cannot start" not in process.output
