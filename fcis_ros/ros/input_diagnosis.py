# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Finds out why no images arrive, and describes it in one sentence with a remedy."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from fcis_ros.dds_profile import profile_variable

LARGE = 500_000  # bytes; Fast DDS's default shared-memory segment holds 512 kB
UNNAMED = "a node whose name is not known yet"
SMALL_SHM = 128 * 2**20  # bytes; Docker gives a container 64 MB, one segment of the package's profile takes as much


@dataclass(frozen=True)
class Publisher:
    """One publisher of the topic.

    Attributes:
        node: the full name of its node.
        type: the type of its messages, such as ``sensor_msgs/msg/Image``.
        mismatch: the reason why its quality of service does not match; empty if it does.
    """

    node: str
    type: str
    mismatch: str


@dataclass(frozen=True)
class Silence:
    """The reason why no images arrive.

    Attributes:
        kind: one of ``no_publisher``, ``wrong_type``, ``incompatible_qos``, ``nothing_received`` or ``silent``.
        text: one line with a remedy.
        error: whether waiting will not help.
    """

    kind: str
    text: str
    error: bool = False


def full_name(namespace: str, name: str) -> str:
    """Returns the full name of an endpoint's node; rmw knows the endpoint a moment before its node."""
    return UNNAMED if name == "_NODE_NAME_UNKNOWN_" else f"{namespace.rstrip('/')}/{name}"


def remapping(name: str, compressed: bool, topic: str) -> str:
    """Returns the remapping after which an input reads a topic.

    Args:
        name: name of the input before remapping, such as ``image``.
        compressed: whether the topic has compressed images.
        topic: full name of the topic.
    """
    if not compressed:
        return f"-r {name}:={topic}"
    image = topic.removesuffix("/compressed")
    return f"-r {name}:={image}" if image not in ("", topic) else f"-r {name}/compressed:={topic}"


def diagnose(
    topic: str, wanted: str, publishers: Sequence[Publisher], received: int, silent: float, elsewhere: Sequence[str], hint: str
) -> Silence:
    """Returns the reason why no images arrive.

    Args:
        topic: the subscribed topic.
        wanted: the type of the messages.
        publishers: the publishers of the topic, of any type.
        received: the number of images since the subscription.
        silent: the seconds without an image.
        elsewhere: where images are published instead, each with a remedy.
        hint: a hint about the middleware, from ``transport_hint``.
    """
    right = [publisher for publisher in publishers if publisher.type == wanted]
    if not publishers:
        others = f"; images are published on {', '.join(elsewhere)}" if elsewhere else ""
        return Silence("no_publisher", f"no image for {silent:.0f} s: {topic} has no publisher{others}")
    if not right:
        other = publishers[0]
        text = f"no image for {silent:.0f} s: {other.node} publishes {topic} as {other.type}, {wanted} is needed"
        return Silence("wrong_type", text, error=True)
    if all(publisher.mismatch for publisher in right):
        text = f"no image for {silent:.0f} s: the quality of service of {right[0].node} on {topic} does not match "
        return Silence("incompatible_qos", f"{text}({right[0].mismatch}); use input_qos auto", error=True)
    if not received:
        text = f"no image for {silent:.0f} s: {right[0].node} is connected on {topic}, but nothing arrives"
        return Silence("nothing_received", f"{text}; {hint}" if hint else text)
    return Silence("silent", f"no image for {silent:.0f} s on {topic}: {right[0].node} has stopped publishing")


def lacks_profile(middleware: str) -> bool:
    """Whether this process uses Fast DDS with its default, small shared-memory segments."""
    return "fastrtps" in middleware and not os.environ.get(profile_variable())


def transport_hint(middleware: str, profile: str) -> str:
    """Returns what to check if a publisher is connected and nothing arrives.

    Args:
        middleware: the identifier of the middleware, such as ``rmw_fastrtps_cpp``.
        profile: the path of the package's Fast DDS profile.
    """
    if "fastrtps" in middleware:
        where = "this node and the publisher" if lacks_profile(middleware) else "the publisher as well (this node has one)"
        hint = f"images over 0.5 MB need a Fast DDS profile with room for them: set {profile_variable()}={profile} for {where}"
        with contextlib.suppress(OSError):  # without /dev/shm there is nothing to say about it
            size = shutil.disk_usage("/dev/shm").total
            if size < SMALL_SHM:
                hint += f"; /dev/shm has only {size // 2**20} MB, give a container more with --shm-size=1g or --ipc=host"
        return hint
    if "zenoh" in middleware:
        return "is the router running (ros2 run rmw_zenoh_cpp rmw_zenohd), and is shared memory on or off on both sides?"
    if "cyclonedds" in middleware:
        return "large images need a larger receive buffer: sysctl net.core.rmem_max=10485760"
    return ""
