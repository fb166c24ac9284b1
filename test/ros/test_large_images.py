# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Raw 1080p images at 30 Hz from another process reach the node, with the Fast DDS profile on both sides."""

import re

import pytest

pytestmark = pytest.mark.ros

FRAMES = 105
# A camera driver: best effort, as most are. It first sends images that the node rejects. When the diagnostics show one,
# node and driver are connected. The next diagnostics count these images, which a busy node may also overwrite; then the
# frames begin.
DRIVER = f"""
import sys
import time
from array import array

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("driver")
images = node.create_publisher(Image, "image", QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT))
seen = []

def look(message):
    values = {{entry.key: entry.value for status in message.status for entry in status.values}}
    if int(values.get("frames_rejected", "0")):
        seen.append(values)

node.create_subscription(DiagnosticArray, "/diagnostics", look, 10)
while not seen:
    images.publish(Image(encoding="hello", height=1, width=1, step=1, data=b"0"))
    rclpy.spin_once(node, timeout_sec=0.2)
while len(seen) < 3 or seen[-1]["frames_waiting"] != "0":
    rclpy.spin_once(node, timeout_sec=0.2)
print("overwritten before:", seen[-1]["frames_overwritten"], flush=True)
frame = Image(encoding="bgr8", height=1080, width=1920, step=5760, data=array("B", bytes(1080 * 5760)))
frame.header.frame_id = "camera"
for number in range({FRAMES}):
    frame.header.stamp = node.get_clock().now().to_msg()
    images.publish(frame)
    time.sleep(1 / 30)
print("{FRAMES} frames sent", flush=True)
time.sleep(1000)  # what is on its way arrives only while its sender lives
"""


def test_node_99_of_100_1080p_frames_arrive(client, start, tiny_checkpoint, wait_for):
    process = start("fcis_node", {"model": tiny_checkpoint})
    driver = start(DRIVER)
    wait_for(lambda: f"{FRAMES} frames sent" in driver.output, "the driver")
    before = int(re.search(r"overwritten before: (\d+)", driver.output)[1])

    def arrived(counts) -> bool:
        return FRAMES >= counts["processed"] + counts["overwritten"] - before >= 0.99 * FRAMES

    wait_for(lambda: arrived({name: client.count(name) for name in ("processed", "overwritten")}), "99 of a hundred frames")
    assert process.interrupt() == 0
    account = process.account[""]
    assert account["rejected"] >= 1 and account["failed"] == account["stale"] == 0
    assert arrived(account)
    assert client.masks[""] and {(mask.height, mask.width) for mask in client.masks[""]} == {(1080, 1920)}
    assert "get lost between processes" not in process.output
