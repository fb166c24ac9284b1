# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Quality of service and names of the nodes' publishers and subscriptions."""

from collections.abc import Sequence

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible

OUTPUT = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE)


def input_profile(policy: str, offered: Sequence[QoSProfile], depth: int) -> QoSProfile:
    """Returns the profile to subscribe with.

    Args:
        policy: one of ``sensor_data`` (best effort), ``reliable``, ``system_default`` (the middleware's), or ``auto``, which is
            as strict as all publishers allow: reliable if all of them are, and likewise transient local.
        offered: the profiles of the publishers; without one, best effort is used, which matches every publisher.
        depth: the depth of the history.
    """
    reliability, durability = ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE
    if policy == "system_default":
        reliability, durability = ReliabilityPolicy.SYSTEM_DEFAULT, DurabilityPolicy.SYSTEM_DEFAULT
    elif policy == "reliable":
        reliability = ReliabilityPolicy.RELIABLE
    elif policy == "auto" and offered:
        if all(profile.reliability == ReliabilityPolicy.RELIABLE for profile in offered):
            reliability = ReliabilityPolicy.RELIABLE
        if all(profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for profile in offered):
            durability = DurabilityPolicy.TRANSIENT_LOCAL
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability)


def companion_topic(node: Node, name: str, default: str) -> str:
    """Returns the name of a topic that accompanies an image topic: ``name`` if it is remapped itself, otherwise ``default``."""
    return default if node.resolve_topic_name(name) == node.resolve_topic_name(name, only_expand=True) else name


def mismatch(offered: QoSProfile, asked: QoSProfile) -> str:
    """Returns why a publisher does not match a subscription, in one line; empty if it does."""
    verdict, reason = qos_check_compatible(offered, asked)
    return " ".join(reason.split()).rstrip(";") if verdict == QoSCompatibility.ERROR else ""


def describe(profile: QoSProfile) -> str:
    """Returns a text such as ``reliable, volatile, depth 1``."""
    words = (profile.reliability.name, profile.durability.name)
    return ", ".join(word.lower().replace("_", " ") for word in words) + f", depth {profile.depth}"
