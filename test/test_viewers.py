# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What RViz and Foxglove are told: names that their saved layouts agree on, topics and QoS that the node has."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
RVIZ = yaml.safe_load((ROOT / "config" / "fcis.rviz").read_text())
FOXGLOVE = json.loads((ROOT / "config" / "foxglove_layout.json").read_text())
DISPLAYS = {display["Name"]: display for display in RVIZ["Visualization Manager"]["Displays"]}
SOURCES = {path.name: path.read_text() for path in (ROOT / "fcis_ros" / "ros").glob("*.py")}


def published(name: str) -> bool:
    """Whether a node publishes that name: as an entry of a camera's ``OUTPUTS``, or by ``create_publisher``."""
    pattern = rf'(publisher\(\w+, f?"([^"\n]*[/}}])?|OUTPUTS = .*"){name}"'
    return any(re.search(pattern, text) for text in SOURCES.values())


def docks() -> list[str]:
    """Names in the window's state: a length in bytes and UTF-16, written in hex, after the byte fb."""
    state, names = bytes.fromhex(RVIZ["Window Geometry"]["QMainWindow State"]), []
    for at in range(len(state) - 5):
        size = int.from_bytes(state[at + 1 : at + 5], "big")
        if state[at] == 0xFB and 0 < size <= 200 and size % 2 == 0 and at + 5 + size <= len(state):
            names.append(state[at + 5 : at + 5 + size].decode("utf-16-be"))
    return names


def test_rviz_docks_match_displays():
    """A display that is renamed here loses the position that RViz saved for it."""
    assert sorted(docks()) == sorted([*DISPLAYS, "Displays"])
    assert len(DISPLAYS) > 1 and all(RVIZ["Window Geometry"][name] == {"collapsed": False} for name in docks())


def test_rviz_hidden_sides_are_set():
    """RViz reads these two into a variable that is not initialised otherwise."""
    assert RVIZ["Window Geometry"]["Hide Left Dock"] is False and RVIZ["Window Geometry"]["Hide Right Dock"] is True


def test_rviz_needs_no_transformation():
    assert RVIZ["Visualization Manager"]["Transformation"]["Current"]["Class"] == "rviz_common/Identity"


def test_rviz_topics_match_the_node():
    topics = {name: display["Topic"] for name, display in DISPLAYS.items()}
    assert [topic["Value"] for topic in topics.values()][0] == "image"
    for name, topic in topics.items():
        assert topic["History Policy"] == "Keep Last" and topic["Depth"] == 1 and topic["Durability Policy"] == "Volatile"
        path = topic["Value"].split("/")
        if path != ["image"]:  # relative, so that a namespace takes it along
            assert path[0] == "fcis_node" and published(path[1]), name
    # Cameras may offer either, which best effort takes; the node's outputs are reliable.
    assert {topic["Value"]: topic["Reliability Policy"] for topic in topics.values() if topic["Value"] == "image"} == {
        "image": "Best Effort"
    }
    assert {topic["Reliability Policy"] for topic in topics.values() if topic["Value"] != "image"} == {"Reliable"}
    output = [line for text in SOURCES.values() for line in text.splitlines() if line.startswith("OUTPUT = QoSProfile")]
    assert len(output) == 1 and "ReliabilityPolicy.RELIABLE" in output[0]


def test_rviz_does_not_stretch_label_numbers():
    """A label image without a single instance, stretched to its range, shows what lay in memory."""
    numbers = [display for display in DISPLAYS.values() if display["Topic"]["Value"].endswith("/labels")]
    assert numbers and all(display["Normalize Range"] is False and display["Max Value"] > 1 for display in numbers)


def panels(layout: dict | str) -> list[str]:
    return [layout] if isinstance(layout, str) else panels(layout["first"]) + panels(layout["second"])


def test_foxglove_layout_matches_panels():
    assert len(FOXGLOVE["configById"]) > 1
    assert sorted(panels(FOXGLOVE["layout"])) == sorted(FOXGLOVE["configById"])


@pytest.mark.parametrize("panel", FOXGLOVE["configById"])
def test_foxglove_topics_match_the_node(panel):
    config = FOXGLOVE["configById"][panel]
    topic = config.get("imageMode", {}).get("imageTopic") or config.get("topicPath") or config.get("topicToRender")
    if topic not in ("/image_raw", "/diagnostics"):
        node, name = topic.removeprefix("/").split("/")
        assert node == "fcis_node" and published(name)
