# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Why no images arrive, in one sentence that says what to do. Functions of their arguments and of the environment."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from fcis_ros.dds_profile import profile_variable

LARGE = 500_000  # bytes; Fast DDS's default shared-memory segment holds 512 kB
UNNAMED = "a node whose name is not known yet"
SMALL_SHM = 128 * 2**20  # bytes; Docker gives a container 64 MB, one segment of our profile takes as much


@dataclass(frozen=True)
class Publisher:
    """One publisher of the topic.

    Attributes:
        node: its full name.
        type: of its messages, such as ``sensor_msgs/msg/Image``.
        mismatch: why its quality of service does not reach us; empty if it does.
    """

    node: str
    type: str
    mismatch: str


@dataclass(frozen=True)
class Finding:
    """What keeps images away.

    Attributes:
        kind: ``no_publisher``, ``wrong_type``, ``incompatible_qos``, ``nothing_received`` or ``silent``.
        text: one line, with what to do about it.
        error: whether it will not go away by waiting.
    """

    kind: str
    text: str
    error: bool = False


def full_name(namespace: str, name: str) -> str:
    """Of the node behind an endpoint; rmw learns of the endpoint first and of its node a moment later."""
    return UNNAMED if name == "_NODE_NAME_UNKNOWN_" else f"{namespace.rstrip('/')}/{name}"


def diagnose(
    topic: str, wanted: str, publishers: Sequence[Publisher], received: int, silent: float, elsewhere: Sequence[str], hint: str
) -> Finding:
    """Explains a silence.

    Args:
        topic: that is subscribed to.
        wanted: type of the messages.
        publishers: of the topic, of whatever type.
        received: images since the subscription was made.
        silent: seconds without an image.
        elsewhere: topics on which somebody does publish images.
        hint: of the middleware, from ``transport_hint``.
    """
    right = [publisher for publisher in publishers if publisher.type == wanted]
    if not publishers:
        others = f"; images are published on {', '.join(elsewhere)}: remap the input" if elsewhere else ""
        return Finding("no_publisher", f"no image for {silent:.0f} s: nobody publishes {topic}{others}")
    if not right:
        other = publishers[0]
        text = f"no image for {silent:.0f} s: {other.node} publishes {topic} as {other.type}, {wanted} is needed"
        return Finding("wrong_type", text, error=True)
    if all(publisher.mismatch for publisher in right):
        text = f"no image for {silent:.0f} s: the quality of service of {right[0].node} on {topic} does not match "
        return Finding("incompatible_qos", f"{text}({right[0].mismatch}); use input_qos auto", error=True)
    if not received:
        text = f"no image for {silent:.0f} s: {right[0].node} is connected on {topic}, but nothing arrives"
        return Finding("nothing_received", f"{text}; {hint}" if hint else text)
    return Finding("silent", f"no image for {silent:.0f} s on {topic}: {right[0].node} has stopped publishing")


def lacks_profile(middleware: str) -> bool:
    """Whether this process talks through Fast DDS with its default, small shared-memory segments."""
    return "fastrtps" in middleware and not os.environ.get(profile_variable())


def transport_hint(middleware: str, profile: str) -> str:
    """What to check where a publisher is connected and nothing arrives.

    Args:
        middleware: such as ``rmw_fastrtps_cpp``.
        profile: path of the Fast DDS profile that comes with the package.
    """
    if "fastrtps" in middleware:
        where = "this node and the publisher" if lacks_profile(middleware) else "the publisher as well (this node has one)"
        hint = f"images over 0.5 MB need a Fast DDS profile with room for them: set {profile_variable()}={profile} for {where}"
        size = shared_memory_bytes()
        if size is not None and size < SMALL_SHM:
            hint += f"; /dev/shm has only {size // 2**20} MB, give a container more with --shm-size=1g or --ipc=host"
        return hint
    if "zenoh" in middleware:
        return "is the router running (ros2 run rmw_zenoh_cpp rmw_zenohd), and is shared memory on or off on both sides?"
    if "cyclonedds" in middleware:
        return "large images need a larger receive buffer: sysctl net.core.rmem_max=10485760"
    return ""


def shared_memory_bytes() -> int | None:
    """Size of /dev/shm, None where there is none."""
    try:
        about = os.statvfs("/dev/shm")
    except OSError:
        return None
    return about.f_frsize * about.f_blocks
