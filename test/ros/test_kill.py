# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Kill -9 of everything around the node, and of the node: the others go on, and say what is missing."""

import signal

import pytest

pytestmark = pytest.mark.ros

# Somebody who looks at everything, and is busy: it takes a message now and then.
VIEWER = """
import time

import rclpy
from sensor_msgs.msg import Image

from fcis_ros.msg import InstanceMaskArray

rclpy.init()
node = rclpy.create_node("viewer")
for kind, name in ((InstanceMaskArray, "masks"), (Image, "overlay"), (Image, "labels")):
    node.create_subscription(kind, f"fcis_node/{name}", lambda message: print("seen", flush=True), 10)
while True:
    rclpy.spin_once(node)
    time.sleep(0.05)
"""


def kill(process) -> None:
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_node_killed_source_is_reported_and_new_one_served(client, start, tiny_checkpoint, wait_for):
    process = start("fcis_node", {"model": tiny_checkpoint, "silence_s": 1.0}, {"image": "image_raw"})
    masks = client.masks[""]
    # Fast DDS notices after seconds that the publisher is gone; both sentences are right, each is said once.
    missed = ("/camera_source has stopped publishing", "/image_raw has no publisher")
    unseen = []  # masks that the node had sent and the test had not received, at the end of each source
    for _ in range(2):
        answered = len(masks)
        source = start("camera_source", {"rate": 10.0})
        wait_for(lambda answered=answered: len(masks) > answered + 3, "masks")
        wait_for(lambda: client.status["camera"][0] == 0, "the level")
        before = sum(map(process.output.count, missed))
        kill(source)
        wait_for(lambda: any(text in client.status["camera"][1] for text in missed), "the warning")
        assert client.status["camera"][0] == 1 and client.value("state") == "active"
        wait_for(lambda before=before: 1 <= sum(map(process.output.count, missed)) - before <= 2, "the line in the log")
        unseen.append(client.count("processed") - len(masks))
    assert process.running and process.interrupt() == 0
    account = process.account[""]
    # Only the first masks may have gone out before the subscription to them was known.
    assert unseen[0] == unseen[1] == account["processed"] - len(masks) >= 0
    assert account["failed"] == account["rejected"] == 0


def test_node_killed_viewer_does_not_delay_others(client, start, serve, wait_for):
    viewer, process, answers = start(VIEWER), serve(), client.masks[""]
    wait_for(lambda: client.send() and viewer.output.count("seen") >= 3, "the viewer's pictures")
    kill(viewer)
    # More frames than any queue between them holds; each is answered though the middleware still knows the dead reader.
    for number in range(30):
        sent = client.send()
        wait_for(lambda sent=sent: answers[-1].header == sent.header, f"answer {number} after the end of the viewer")
    wait_for(lambda: client.status["camera"][0] == 0, "the level")
    assert process.interrupt() == 0 and process.account[""]["failed"] == 0


def test_node_killed_can_be_started_again(client, start, tiny_checkpoint, wait_for):
    for _ in range(2):
        process, answered = start("fcis_node", {"model": tiny_checkpoint}), len(client.masks[""])
        wait_for(lambda answered=answered: client.send() and len(client.masks[""]) > answered, "an answer")
        kill(process)
