# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Raw 1080p images at 30 Hz from another process reach the node, with the Fast DDS profile on both sides."""

import pytest

pytestmark = pytest.mark.ros

FRAMES = 105
# A camera driver: best effort, as most are. What it sends first is an image that the node rejects; as soon as the diagnostics
# say so, both sides know each other, and the frames that count begin.
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
images = node.create_publisher(Image, "camera/image", QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT))
rejected = []

def look(message):
    values = {{entry.key: entry.value for status in message.status for entry in status.values}}
    rejected.extend([True] if int(values.get("frames_rejected", "0")) else [])

node.create_subscription(DiagnosticArray, "/diagnostics", look, 10)
while not rejected:
    images.publish(Image(encoding="hello", height=1, width=1, step=1, data=b"0"))
    rclpy.spin_once(node, timeout_sec=0.2)
frame = Image(encoding="bgr8", height=1080, width=1920, step=5760, data=array("B", bytes(1080 * 5760)))
frame.header.frame_id = "camera"
for number in range({FRAMES}):
    frame.header.stamp = node.get_clock().now().to_msg()
    images.publish(frame)
    time.sleep(1 / 30)
print("{FRAMES} frames sent", flush=True)
time.sleep(1000)  # what is on its way arrives only while its sender lives
"""


def test_ninety_nine_of_a_hundred_1080p_frames_at_30_hz_reach_the_node(client, start, tiny_checkpoint, wait_for, tmp_path):
    (tmp_path / "driver.py").write_text(DRIVER)
    process = start("fcis_node", {"model": tiny_checkpoint}, {"image": "camera/image"})
    driver = start(tmp_path / "driver.py")
    wait_for(lambda: f"{FRAMES} frames sent" in driver.output, "the driver")
    wait_for(lambda: client.count("processed") + client.count("overwritten") >= 0.99 * FRAMES, "99 of a hundred frames")
    assert process.interrupt() == 0
    account = process.account[""]
    assert account["rejected"] >= 1 and account["failed"] == account["stale"] == 0
    assert FRAMES >= account["processed"] + account["overwritten"] >= 0.99 * FRAMES
    assert client.masks[""] and {(mask.height, mask.width) for mask in client.masks[""]} == {(1080, 1920)}
    assert "get lost between processes" not in process.output
