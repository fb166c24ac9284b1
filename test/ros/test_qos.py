# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.ros


def profile(reliability="RELIABLE", durability="VOLATILE"):
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    return QoSProfile(depth=9, reliability=ReliabilityPolicy[reliability], durability=DurabilityPolicy[durability])


@pytest.mark.parametrize(
    ("policy", "offered", "expected"),
    [
        ("auto", [], "best effort, volatile, depth 1"),
        ("auto", [("RELIABLE", "VOLATILE")], "reliable, volatile, depth 1"),
        ("auto", [("BEST_EFFORT", "VOLATILE")], "best effort, volatile, depth 1"),
        ("auto", [("RELIABLE", "TRANSIENT_LOCAL")], "reliable, transient local, depth 1"),
        ("auto", [("RELIABLE", "TRANSIENT_LOCAL"), ("BEST_EFFORT", "VOLATILE")], "best effort, volatile, depth 1"),
        ("sensor_data", [("RELIABLE", "VOLATILE")], "best effort, volatile, depth 1"),
        ("reliable", [("BEST_EFFORT", "VOLATILE")], "reliable, volatile, depth 1"),
        ("system_default", [], "system default, system default, depth 1"),
    ],
)
def test_input_profile_follows_publishers(policy, offered, expected):
    from fcis_ros.ros import qos

    offers = [profile(*entry) for entry in offered]
    asked = qos.input_profile(policy, offers, 1)
    assert qos.describe(asked) == expected
    if policy == "auto":
        assert not any(qos.mismatch(offer, asked) for offer in offers)


def test_mismatch_is_one_line():
    from fcis_ros.ros import qos

    reason = qos.mismatch(profile("BEST_EFFORT"), profile("RELIABLE"))
    assert "reliable" in reason.lower() and "\n" not in reason
    assert qos.mismatch(profile(), profile()) == ""


@pytest.mark.parametrize(("rules", "expected"), [({}, "/front/info"), ({"info": "/mine"}, "info")])
def test_companion_topic_remapped_itself_is_kept(rules, expected):
    from fcis_ros.ros import qos

    node = SimpleNamespace(resolve_topic_name=lambda name, only_expand=False: name if only_expand else rules.get(name, name))
    assert qos.companion_topic(node, "info", "/front/info") == expected
