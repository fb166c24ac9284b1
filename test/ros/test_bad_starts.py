# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""ROS arguments, their files and an environment that cannot be used: one line and status 2, whichever node."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.ros


def started(executable: str, arguments: list[str], **environment: str) -> subprocess.CompletedProcess:
    from ament_index_python.packages import get_package_prefix

    path = f"{get_package_prefix('fcis_ros')}/lib/fcis_ros/{executable}"
    command = ["env", *(f"{name}={value}" for name, value in environment.items()), path, "--ros-args", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def node_lines(process: subprocess.CompletedProcess) -> list[str]:
    """Returns the lines of the node, without rcl's line that parsing has failed."""
    return [line for line in process.stderr.splitlines() if "[rcl]: Failed to parse" not in line]


@pytest.mark.parametrize("executable", ["fcis_node", "camera_source"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--params-file", "/nowhere.yaml"], "'--params-file /nowhere.yaml'. Error: Error opening YAML file"),
        (["-p", "rate:="], "parameter override rule: '-p rate:='"),
        (["-r", "image:=1bad"], "remap rule: '-r image:=1bad'"),
        (["-r", "__node:=no-name"], "remap rule: '-r __node:=no-name'"),
        (["--log-level", "loud"], "log level: '--log-level loud'"),
        (["--enclave", "relative"], "nclave name"),
        (["--loud"], "unknown ROS arguments ['--loud']"),
    ],
)
def test_process_bad_ros_argument_is_one_line(executable, arguments, message):
    process = started(executable, arguments)
    assert process.returncode == 2 and process.stdout == ""
    (line,) = node_lines(process)
    assert line.startswith(f"{executable}: ") and message in line and ".c:" not in line


def test_process_broken_parameter_file_is_one_line(tmp_path):
    (tmp_path / "broken.yaml").write_text("/**:\n  ros__parameters:\n    - [score_threshold\n")
    process = started("fcis_node", ["--params-file", str(tmp_path / "broken.yaml")])
    (line,) = node_lines(process)
    assert process.returncode == 2 and "broken.yaml" in line


def test_process_missing_key_store_is_named(tmp_path):
    security = {"ROS_SECURITY_KEYSTORE": tmp_path, "ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce"}
    process = started("fcis_node", ["--enclave", "/fcis_ros/fcis_node"], **security)
    assert process.returncode == 2 and "Traceback" not in process.stderr
    assert f"fcis_node: SECURITY ERROR: directory '{tmp_path}/enclaves/fcis_ros/fcis_node' does not exist." in process.stderr


WITHOUT_SECURITY = """
import sys
from fcis_ros.ros import run_node

class RCLError(RuntimeError):  # named as rclpy's
    pass

def fail():
    raise RCLError("error creating node: no security libraries, at /source/participant.cpp:406, at /source/node.c:249\\nmore")

sys.exit(run_node.run("fcis_node", fail, None))
"""


def test_process_middleware_error_is_one_line():
    process = subprocess.run([sys.executable, "-c", WITHOUT_SECURITY], capture_output=True, text=True, timeout=120, check=False)
    assert (process.returncode, process.stderr) == (2, "fcis_node: error creating node: no security libraries\n")
