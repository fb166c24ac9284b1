# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one process, and what it says about those that deliver nothing."""

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.ros

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_node_several_cameras_take_turns_without_waiting_for_dead_one(client, start, tiny_checkpoint, wait_for):
    from sensor_msgs.msg import CompressedImage

    for name in ("front", "left", "rear"):
        client.watch(name)
    jpegs = client.publisher("left_driver/image_raw/compressed", CompressedImage)
    parameters = {"model": tiny_checkpoint, "cameras": "[front, left, rear]", "silence_s": 1.0, "max_batch": 2}
    process = start("fcis_node", parameters, {"left/image": "left_driver/image_raw"})
    wait_for(lambda: client.connected("front/image", "fcis_node/left/masks"), "the raw camera")
    wait_for(lambda: jpegs.get_subscription_count() == 1, "the compressed camera")  # auto: the raw topic has no publisher
    assert "/left_driver/image_raw/compressed (reliable, volatile, depth 10)" in wait_for(
        lambda: client.value("input", "camera left"), "the input"
    )
    answered = client.masks["left"]
    # One camera floods the node; the other's few frames are all answered.
    large = np.tile(IMAGE, (4, 4, 1))
    for number in range(3):
        jpeg = CompressedImage(format="jpeg", data=cv2.imencode(".jpg", large)[1].tobytes())
        jpeg.header.frame_id = "left"
        jpeg.header.stamp.sec = 10 + number
        jpegs.publish(jpeg)
        wait_for(lambda: client.send(large, "front/image") and len(answered) > number, "the slow camera's answer")  # noqa: B023
        assert client.masks["left"][-1].header == jpeg.header
        assert (client.masks["left"][-1].height, client.masks["left"][-1].width) == large.shape[:2]
    wait_for(lambda: client.masks["front"], "the fast camera's answer")
    assert {answer.header.frame_id[:7] for answer in client.masks["front"]} == {"camera_"} and not client.masks["rear"]
    jpegs.publish(CompressedImage(format="jpeg", data=b"garbage"))
    wait_for(lambda: client.count("rejected", "camera left") == 1, "the damaged picture")
    wait_for(lambda: "/rear/image has no publisher; images are" in client.status["camera rear"][1], "the dead camera")
    assert client.status["camera rear"][0] == 1 and "/front/image" in client.status["camera rear"][1]
    assert process.interrupt() == 0
    assert process.account["left"]["processed"] == 3 and process.account["left"]["rejected"] == 1
    assert process.account["front"]["processed"] == len(client.masks["front"])
    assert sum(process.account["rear"].values()) == 0


def test_node_missing_images_logs_each_reason_once(client, start, tiny_checkpoint, wait_for):
    from rclpy.qos import qos_profile_sensor_data
    from std_msgs.msg import String

    client.publisher("text/image", String)
    client.publisher("deaf/image", profile=qos_profile_sensor_data)
    client.publisher("quiet/image")
    parameters = {"model": tiny_checkpoint, "cameras": "[none, text, deaf, quiet]", "input_qos": "reliable", "silence_s": 1.0}
    process = start("fcis_node", {**parameters, "use_sim_time": True})  # without a clock: the diagnostics go on
    expected = {
        "none": (1, "/none/image has no publisher"),
        "text": (2, "/test_client publishes /text/image as std_msgs/msg/String"),
        "deaf": (2, "the quality of service of /test_client on /deaf/image does not match"),
        "quiet": (1, "/test_client is connected on /quiet/image, but nothing arrives; images over 0.5 MB need"),
    }
    for name, (level, text) in expected.items():
        wait_for(lambda name=name, text=text: text in client.status[f"camera {name}"][1], f"camera {name}")
        assert client.status[f"camera {name}"][0] == level
        assert process.output.count(text) == 1
    client.send(IMAGE, "quiet/image")
    wait_for(lambda: "images arrive on /quiet/image" in process.output, "the good news")
    wait_for(lambda: "has stopped publishing" in client.status["camera quiet"][1], "silence again")
    assert process.output.count("/test_client has stopped publishing") == 1
    assert process.interrupt() == 0
