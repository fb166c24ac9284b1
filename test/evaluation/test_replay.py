# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The replay keeps to itself, and says so when it cannot write."""

import errno
import os

import fast_dds
import numpy as np
import pytest

from fcis_ros.data.frame_sources import Frame
from fcis_ros.errors import InputError

pytestmark = pytest.mark.ros

ROBOT = {
    "ROS_DOMAIN_ID": "42", "ROS_DISCOVERY_SERVER": "10.0.0.1:11811", "ROS_STATIC_PEERS": "10.0.0.2", "ROS_SUPER_CLIENT": "TRUE",
    "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "CYCLONEDDS_URI": "file:///robot.xml", "ROS_SECURITY_ENABLE": "true",
}  # fmt: skip


@pytest.fixture
def robot(monkeypatch):
    """The environment of a robot whose graph must not be joined."""
    for name, value in ROBOT.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("library", "variable"), fast_dds.VARIABLES.items())
def test_isolated_sets_and_restores_the_environment(robot, monkeypatch, tmp_path, library, variable):
    from fcis_ros.evaluation.replay import isolated

    fast_dds.install(monkeypatch, tmp_path / "prefix", library)
    for name in fast_dds.VARIABLES.values():
        monkeypatch.setenv(name, "/robot.xml")
    before = dict(os.environ)
    with isolated():
        assert os.environ["ROS_DOMAIN_ID"] != "42" and 1 <= int(os.environ["ROS_DOMAIN_ID"]) <= 101
        assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
        assert os.environ[variable].endswith("fastdds_large_images.xml")
        assert not {*ROBOT, *fast_dds.VARIABLES.values()} & {*os.environ} - {
            "ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", variable
        }  # fmt: skip
    assert dict(os.environ) == before


def test_isolated_domain_differs_from_the_environment(monkeypatch):
    from fcis_ros.evaluation.replay import isolated

    monkeypatch.setenv("ROS_DOMAIN_ID", str(1 + os.getpid() % 101))
    with isolated():
        assert os.environ["ROS_DOMAIN_ID"] != str(1 + os.getpid() % 101)


def test_isolated_given_domain_is_used(robot):
    from fcis_ros.evaluation.replay import isolated

    with isolated(7):
        assert os.environ["ROS_DOMAIN_ID"] == "7"


def test_isolated_on_humble_sets_the_older_variable(robot, monkeypatch):
    from fcis_ros.evaluation.replay import isolated

    monkeypatch.setenv("ROS_DISTRO", "humble")
    with isolated():
        assert os.environ["ROS_LOCALHOST_ONLY"] == "1"


def test_share_without_ros_environment_is_an_input_error(monkeypatch):
    from fcis_ros.evaluation.replay import isolated

    monkeypatch.delenv("AMENT_PREFIX_PATH")
    with pytest.raises(InputError, match="not installed in a ROS environment"), isolated():
        pass


def test_replay_full_disk_ends_with_the_error(tmp_path, tiny_checkpoint, monkeypatch, capfd):
    """The thread that records meets it; the command says so in one line, keeps the node's log and nothing else."""
    import cv2
    from rosbags.rosbag2 import Writer

    from fcis_ros.cli.main import main
    from fcis_ros.evaluation.replay import OVERLAY_TOPIC

    for name in "abc":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((90, 120, 3), np.uint8))
    write = Writer.write

    def full(self, connection, timestamp, data):
        if connection.topic == OVERLAY_TOPIC:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, connection, timestamp, data)

    monkeypatch.setattr(Writer, "write", full)
    out = tmp_path / "out"
    assert main(["demo", str(tmp_path), "--rate", "2", "--checkpoint", str(tiny_checkpoint), "--out", str(out)]) == 2
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("fcis: ")]
    assert f"{out}: cannot be written (No space left on device)" in line and f"(log: {out}.node.log)" in line
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.node.log"]


def test_listener_full_disk_is_raised_to_the_waiting_thread(tmp_path, monkeypatch):
    from rosbags.rosbag2 import Writer

    from fcis_ros.bags.writer import record
    from fcis_ros.cli.output import finished_folder

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Writer, "write", full)
    with pytest.raises(InputError, match="out: cannot be written"), finished_folder(tmp_path / "out", "report.json") as folder:
        record([Frame("a", 1, np.zeros((9, 9, 3), np.uint8))], folder / "bag")
    assert not list(tmp_path.iterdir())
