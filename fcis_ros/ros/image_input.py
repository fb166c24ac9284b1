# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The subscription of one camera: raw or compressed, with a matching quality of service, and a check that images arrive."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CompressedImage, Image

from fcis_ros.ros import input_diagnosis, qos

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

QUEUE = 10  # images that may arrive while the executor's thread waits for a core: they are counted, not lost in the middleware
REMEMBERED = 16  # messages remembered beyond the queue's depth, to recognize one that arrives twice
PATIENCE = 3  # refreshes for which a log line waits until the name of the node that it mentions is known
TYPES = {Image: "sensor_msgs/msg/Image", CompressedImage: "sensor_msgs/msg/CompressedImage"}


class ImageInput:
    """Subscribes to ``image`` or to its compressed topic. ``refresh`` does all work, in the executor's thread.

    When the quality of service changes, the old subscription stays until the new one has delivered its first message: no image
    is lost in between, none arrives twice or in another order.

    Attributes:
        silence: the reason why no images arrive; None if they do.
    """

    def __init__(self, node: Node, topic: str, receive: Callable[[Any], Any], profile: str):
        """Creates the input without a subscription.

        Args:
            node: the node that subscribes.
            topic: the base name, before remapping.
            receive: the function that gets every message.
            profile: the path of the package's Fast DDS profile, for a hint.
        """
        self.silence: input_diagnosis.Silence | None = None
        self._node, self._receive, self._profile = node, receive, profile
        self._transport = node.get_parameter("transport").value
        self._policy = node.get_parameter("input_qos").value
        every = node.get_parameter("frame_policy").value == "every"
        self._depth = node.get_parameter("queue_size").value if every else QUEUE
        # As image_transport does.
        compressed = qos.companion_topic(node, f"{topic}/compressed", f"{node.resolve_topic_name(topic)}/compressed")
        self._names = {Image: topic, CompressedImage: compressed}
        self._topics = {kind: node.resolve_topic_name(name) for kind, name in self._names.items()}
        self._subscription = self._former = None
        self._recent: deque[int] = deque(maxlen=self._depth + REMEMBERED)  # source time stamps of the last messages
        self._asked: tuple[type, QoSProfile] | None = None
        self._received = 0
        self._last = 0.0
        self._logged: str | None = None  # kind of silence that was logged last
        self._unnamed = 0  # how often a silence was not logged because a node's name was unknown
        self._warned_large = False

    def refresh(self, wanted: bool, silence: float) -> None:
        """Subscribes, changes the subscription or drops it, as publishers come and go; detects silence.

        Args:
            wanted: whether images are received at all.
            silence: the seconds without an image after which the reason is reported.
        """
        if not wanted:
            self._drop()
            return
        published = {kind: self._node.get_publishers_info_by_topic(topic) for kind, topic in self._topics.items()}
        matching = {kind: [info for info in infos if info.topic_type == TYPES[kind]] for kind, infos in published.items()}
        kind = Image
        if self._transport == "compressed" or (self._transport == "auto" and matching[CompressedImage] and not matching[Image]):
            kind = CompressedImage
        profile = qos.input_profile(self._policy, [info.qos_profile for info in matching[kind]], self._depth)
        if self._asked != (kind, profile):
            self._replace(kind, profile)
        silent = time.monotonic() - self._last
        if silent >= silence:
            self._notice(self._diagnose(kind, profile, published[kind], silent))
        elif self._received:
            self._notice(None)

    @property
    def description(self) -> str:
        """The topic and how it is subscribed to; empty without a subscription."""
        return f"{self._topics[self._asked[0]]} ({qos.describe(self._asked[1])})" if self._asked else ""

    def _replace(self, kind: type, profile: QoSProfile) -> None:
        if self._asked and self._asked[0] is kind:
            if self._former is None:
                self._former = self._subscription
            else:  # this one has not delivered anything yet
                self._node.destroy_subscription(self._subscription)
        else:
            self._drop()

        def arrived(message: Any, about: dict) -> None:
            if self._former is not None and self._subscription is subscription:
                self._end_former()
            self._arrived(message, about)

        # The default callbacks would log what the diagnosis reports in more detail.
        quiet = SubscriptionEventCallbacks(use_default_callbacks=False)
        subscription = self._node.create_subscription(kind, self._names[kind], arrived, profile, event_callbacks=quiet)
        self._subscription = subscription
        self._asked, self._received, self._last = (kind, profile), 0, time.monotonic()
        self._node.get_logger().debug(f"subscribed to {self.description}")

    def _drop(self) -> None:
        for subscription in (self._subscription, self._former):
            if subscription is not None:
                self._node.destroy_subscription(subscription)
        self._subscription = self._former = self._asked = self.silence = None
        self._logged = None
        self._recent.clear()

    def _end_former(self) -> None:
        """Delivers the remaining messages of the former subscription first, then destroys it."""
        former, self._former = self._former, None
        while (taken := former.handle.take_message(former.msg_type, False)) is not None:
            self._arrived(*taken)
        self._node.destroy_subscription(former)

    def _arrived(self, message: Any, about: dict) -> None:
        if about["source_timestamp"] in self._recent:
            return
        self._recent.append(about["source_timestamp"])
        self._received += 1
        self._last = time.monotonic()
        if not self._warned_large and len(message.data) > input_diagnosis.LARGE:
            self._warned_large = True
            if input_diagnosis.lacks_profile(get_rmw_implementation_identifier()):
                text = f"images of {len(message.data) // 1000} kB are mostly lost between processes of one host"
                self._node.get_logger().warning(f"{text}; {self._hint()}")
        self._receive(message)

    def _diagnose(self, kind: type, profile: QoSProfile, infos: Sequence[Any], silent: float) -> input_diagnosis.Silence:
        publishers = [
            input_diagnosis.Publisher(
                input_diagnosis.full_name(info.node_namespace, info.node_name),
                info.topic_type,
                qos.mismatch(info.qos_profile, profile),
            )
            for info in infos
        ]
        return input_diagnosis.diagnose(
            self._topics[kind], TYPES[kind], publishers, self._received, silent, self._elsewhere(), self._hint()
        )

    def _elsewhere(self) -> list[str]:
        """Returns where images are published that the node could read, each with a remedy."""
        found = []
        for kind, transport in ((Image, "raw"), (CompressedImage, "compressed")):
            topic = self._topics[kind]
            if self._transport not in ("auto", transport):
                if any(info.topic_type == TYPES[kind] for info in self._node.get_publishers_info_by_topic(topic)):
                    found.append(f"{topic} (transport:={transport})")
                continue
            prefix = f"{self._node.get_fully_qualified_name()}/"
            for topic, types in self._node.get_topic_names_and_types():
                if TYPES[kind] in types and not topic.startswith(prefix) and self._node.count_publishers(topic):
                    remapping = input_diagnosis.remapping(self._names[Image], kind is CompressedImage, topic)
                    found.append(f"{topic} ({remapping})")
        return found

    def _hint(self) -> str:
        return input_diagnosis.transport_hint(get_rmw_implementation_identifier(), self._profile)

    def _notice(self, silence: input_diagnosis.Silence | None) -> None:
        """Keeps a silence for the diagnostics, and logs it if its kind has changed."""
        self.silence = silence
        kind = silence.kind if silence else ""
        if kind == self._logged:
            self._unnamed = 0
            return
        if silence and input_diagnosis.UNNAMED in silence.text and self._unnamed < PATIENCE:
            self._unnamed += 1
            return
        self._logged, self._unnamed = kind, 0
        if silence:
            self._node.get_logger().warning(silence.text)
        else:
            self._node.get_logger().info(f"images arrive on {self.description}")
