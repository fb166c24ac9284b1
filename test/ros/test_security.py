# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The SROS 2 policy allows what the nodes create on a real graph, and nothing else."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

POLICY = ElementTree.parse(Path(__file__).resolve().parents[2] / "config" / "security" / "fcis_ros.policy.xml").getroot()
PROFILES = {profile.get("node"): profile for profile in POLICY.iter("profile")}
# What sros2/policy/schemas/policy.xsd has, version 0.2.0.
INSIDE = {
    "policy": {"enclaves"}, "enclaves": {"enclave"}, "enclave": {"profiles"}, "profiles": {"profile"},
    "profile": {"topics", "services"}, "topics": {"topic"}, "services": {"service"}, "topic": set(), "service": set(),
}  # fmt: skip
ATTRIBUTES = {
    "policy": {"version"}, "enclave": {"path"}, "profile": {"ns", "node"}, "topics": {"publish", "subscribe"},
    "services": {"reply", "request"},
}  # fmt: skip


def allowed(node: str, right: str) -> set[str]:
    """Full names of what a node's profile allows: to ``publish``, ``subscribe``, ``reply``."""
    profile = PROFILES[node]
    names = {entry.text for group in profile if group.get(right) == "ALLOW" for entry in group}
    namespace = profile.get("ns").rstrip("/")
    starts = {"/": "", "~": f"{namespace}/{node}"}
    return {starts[name[0]] + name.lstrip("~") if name[0] in starts else f"{namespace}/{name}" for name in names}


def test_policy_file_is_valid_for_sros2():
    assert POLICY.tag == "policy" and POLICY.get("version") == "0.2.0"
    elements = list(POLICY.iter())
    assert {element.tag for element in elements} == set(INSIDE)
    for element in elements:
        assert {child.tag for child in element} <= INSIDE[element.tag]
        assert set(element.attrib) <= ATTRIBUTES.get(element.tag, set())
        assert bool(len(element)) == bool(INSIDE[element.tag]) and (len(element) or element.text.strip() == element.text)
    rights = [group.attrib for group in POLICY.iter() if group.tag in ("topics", "services")]
    assert all(len(right) == 1 and set(right.values()) == {"ALLOW"} for right in rights)  # everything else is denied anyway
    assert not any("*" in (element.text or "") for element in elements)  # no wildcards


def created(node, name: str) -> tuple[set[str], set[str], set[str]]:
    """Topics that a node publishes, topics that it subscribes to, and its services."""
    published = node.get_publisher_names_and_types_by_node(name, "/")
    subscribed = node.get_subscriber_names_and_types_by_node(name, "/")
    services = node.get_service_names_and_types_by_node(name, "/")
    return tuple({topic for topic, _ in found} for found in (published, subscribed, services))


def settled(node, name: str) -> bool:
    """Whether discovery has found all topics and services of a node; it finds its name and each of them at different times."""
    if name not in node.get_node_names():
        return False
    published, _, services = created(node, name)
    return published == allowed(name, "publish") and services | type_description(name) == allowed(name, "reply")


SUBSCRIBED = {"raw": "image_raw", "compressed": "image_raw/compressed"}  # with the parameter `transport`


@pytest.mark.ros
@pytest.mark.parametrize(("transport", "topic"), SUBSCRIBED.items())
def test_policy_node_transport_allows_created_topics(client, start, tiny_checkpoint, wait_for, transport, topic):
    process = start("fcis_node", {"model": tiny_checkpoint, "transport": transport}, {"image": "image_raw"})
    wait_for(lambda: client.node.count_subscribers(topic), "the subscription")
    wait_for(lambda: client.status, "the diagnostics")
    wait_for(lambda: settled(client.node, "fcis_node"), "all that is allowed, and no more")
    wait_for(lambda: f"/{topic}" in created(client.node, "fcis_node")[1], "what it reads")
    assert created(client.node, "fcis_node")[1] == {f"/{topic}"}
    assert process.interrupt() == 0


def test_policy_node_allows_to_read_images_only():
    assert allowed("fcis_node", "subscribe") == {f"/{topic}" for topic in SUBSCRIBED.values()}
    assert not allowed("fcis_node", "request")


@pytest.mark.ros
def test_policy_camera_source_allows_created_topics(client, start, tiny_checkpoint, wait_for):
    """With all that it can create: it waits for the node, as in replay.launch.py."""
    start("fcis_node", {"model": tiny_checkpoint}, {"image": "image_raw"})
    process = start("camera_source", {"wait_for": "/fcis_node"})
    wait_for(lambda: client.node.count_publishers("camera_info"), "the camera")
    wait_for(lambda: settled(client.node, "camera_source"), "all that is allowed, and no more")
    wait_for(lambda: created(client.node, "camera_source")[1] == allowed("camera_source", "subscribe"), "what it reads")
    assert process.interrupt() == 0


def type_description(name: str) -> set[str]:
    """A service that every node has from Iron on; Humble's have not."""
    return {f"/{name}/get_type_description"}
