# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A recording that is played to a node: two processes that start at the same time, as in replay.launch.py."""

import re

import numpy as np
import pytest
from recordings import Bags

from fcis_ros.messages.typestore import IMAGE

pytestmark = pytest.mark.ros
FRAMES = 50


@pytest.fixture
def recording(tmp_path):
    """Five seconds at 10 Hz."""
    bags = Bags(tmp_path)
    stamps = [bags.START + number * 100_000_000 for number in range(FRAMES)]
    return bags.write([("/cam", IMAGE, bags.image(np.full((48, 64, 3), n, np.uint8), t), t) for n, t in enumerate(stamps)])


@pytest.fixture
def play(start, recording, tiny_checkpoint):
    """Starts both; the remapping is the launch file's."""

    def run(source: dict | None = None, topic: str = "image", image: str = "image_raw", **node):
        player = start("camera_source", {"source": recording, "loop": False, "wait_for": "/fcis_node", **(source or {})},
                       {"image_raw": image})  # fmt: skip
        return player, start("fcis_node", {"model": tiny_checkpoint, **node}, {topic: image})

    return run


def account(process) -> str:
    (line,) = re.findall(r"account\]: (.*)", process.output)
    return line


@pytest.mark.parametrize("rate", [0.0, 100.0])
def test_played_node_every_answers_all_frames(graph, play, rate):
    player, node = play({"rate": rate}, frame_policy="every", queue_size=3)
    assert player.wait() == 0 and account(player) == "50 frames sent, 50 answered, 0 lost"
    assert node.interrupt() == 0 and node.account[""]["processed"] == FRAMES


def test_played_node_latest_names_overwritten_frames(graph, play):
    player, node = play({"rate": 1000.0})
    assert player.wait() == 0
    sent, answered, lost = map(int, re.match(r"(\d+) frames sent, (\d+) answered, (\d+) lost", account(player)).groups())
    assert sent == FRAMES and answered + lost == FRAMES and answered >= 1
    assert node.interrupt() == 0 and node.account[""]["processed"] == answered


def test_played_node_every_lost_frames_end_with_status_2(graph, play):
    player, _ = play({"rate": 1000.0}, frame_policy="every", max_age_ms=1)
    assert player.wait() == 2 and re.fullmatch(r"50 frames sent, \d+ answered, (\d+) lost \(\1 stale\)", account(player))


def test_played_node_interrupted_source_counts_what_it_has_sent(client, play, wait_for):
    player, _ = play({"loop": True, "rate": 20.0})
    wait_for(lambda: client.masks[""], "an answer")
    assert player.interrupt() == 0 and re.match(r"\d+ frames sent, \d+ answered, \d+ lost", account(player))


def test_played_node_one_of_several_cameras(graph, play):
    player, node = play({"rate": 50.0}, "front/image", "/driver/image_raw", cameras="[front, left]", frame_policy="every")
    assert player.wait() == 0 and account(player) == "50 frames sent, 50 answered, 0 lost"
    assert node.interrupt() == 0 and node.account["front"]["processed"] == FRAMES


def test_played_node_is_waited_for_by_name(client, start, recording, tiny_checkpoint, wait_for):
    """The source says what it waits for: a node that does not run, is not active, or reads another topic."""
    player = start("camera_source", {"source": recording, "loop": False, "wait_for": "/fcis_node"})
    wait_for(lambda: "waiting for /fcis_node: it is not running" in player.output, "the line about no node")
    node = start("fcis_node", {"model": tiny_checkpoint, "autostart": False})
    wait_for(lambda: "waiting for /fcis_node: it is unconfigured" in player.output, "the line about its state")
    assert node.interrupt() == 0
    start("fcis_node", {"model": tiny_checkpoint})
    wait_for(lambda: "waiting for /fcis_node: it reads /image, not /image_raw" in player.output, "the line about its topic")
    assert player.interrupt() == 0 and "frames sent" not in player.output


def test_played_node_relative_name_is_refused(graph, start):
    process = start("camera_source", {"wait_for": "fcis_node"})
    assert process.wait() == 2
    assert "camera_source: parameter wait_for: 'fcis_node' is not the full name of a node" in process.output
