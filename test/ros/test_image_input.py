# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The subscription of a camera: changing it loses nothing."""

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.ros

# Of another process, as discovery takes time there: what is sent meanwhile is at stake.
DRIVER = """
import signal
import time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("driver")
publisher = node.create_publisher(Image, "camera/image", QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE))
while rclpy.ok() and not publisher.get_subscription_count():
    time.sleep(0.01)
message = Image()
while rclpy.ok():
    publisher.publish(message)
    message.header.stamp.sec += 1
    time.sleep(0.005)
"""


def test_image_input_changing_qos_loses_no_image(graph, start, wait_for):
    """Best effort before a publisher is there, reliable with the first, best effort with a second, reliable without it."""
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    from fcis_ros.ros import params
    from fcis_ros.ros.image_input import ImageInput

    for row in params.PARAMETERS:
        graph.declare_parameter(row.name, {"frame_policy": "every", "queue_size": 1000}.get(row.name, row.default))
    got, inputs, wanted = [], [], [True]
    reader = ImageInput(graph, "camera/image", lambda message: got.append(message.header.stamp.sec), "")
    refresh = graph.create_guard_condition(lambda: (reader.refresh(wanted[0], 60.0), inputs.append(reader.description)))

    def refreshed() -> str:
        before = len(inputs)
        refresh.trigger()
        wait_for(lambda: len(inputs) > before, "the refreshed subscription")
        return inputs[-1]

    def hundred_more() -> None:
        number = len(got)
        wait_for(lambda: len(got) >= number + 100, "images")

    assert "best effort" in refreshed()
    driver = start(DRIVER)
    hundred_more()
    wait_for(lambda: graph.count_publishers("camera/image") == 1, "the driver")
    assert "reliable" in refreshed()
    hundred_more()
    other = graph.create_publisher(Image, "camera/image", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    wait_for(lambda: graph.count_publishers("camera/image") == 2, "the second publisher")
    assert "best effort" in refreshed()
    graph.destroy_publisher(other)
    wait_for(lambda: graph.count_publishers("camera/image") == 1, "the end of the second publisher")
    assert "reliable" in refreshed()  # perhaps before the one of before has delivered anything
    hundred_more()
    assert got == list(range(got[0], got[0] + len(got)))
    wait_for(lambda: len(graph.get_subscriptions_info_by_topic("camera/image")) == 1, "the end of the former subscriptions")
    wanted[0] = False
    assert refreshed() == ""
    driver.kill()


@pytest.mark.parametrize(
    ("transport", "published", "said"),
    [
        ("compressed", {"tello/jpeg": "CompressedImage"}, "/tello/jpeg (-r image/compressed:=/tello/jpeg)"),
        ("auto", {"cam/image_raw/compressed": "CompressedImage"}, "/cam/image_raw/compressed (-r image:=/cam/image_raw)"),
        ("auto", {"cam/raw": "Image"}, "/cam/raw (-r image:=/cam/raw)"),
        ("raw", {"image/compressed": "CompressedImage"}, "/image/compressed (transport:=compressed)"),
        ("compressed", {"image": "Image"}, "/image (transport:=raw)"),
    ],
)
def test_image_input_images_elsewhere_are_named_with_remedy(graph, wait_for, transport, published, said):
    import sensor_msgs.msg

    from fcis_ros.ros import params
    from fcis_ros.ros.image_input import ImageInput

    for row in params.PARAMETERS:
        graph.declare_parameter(row.name, transport if row.name == "transport" else row.default)
    for topic, kind in published.items():
        graph.create_publisher(getattr(sensor_msgs.msg, kind), topic, 1)
    reader = ImageInput(graph, "image", lambda message: None, "")

    def found() -> str:
        reader.refresh(True, 0.0)
        return reader.silence.text if reader.silence else ""

    wait_for(lambda: f"has no publisher; images are published on {said}" in found(), "the remedy")
    assert found().endswith(said)


def test_image_input_unknown_name_delays_log():
    from fcis_ros.ros.image_input import PATIENCE, ImageInput
    from fcis_ros.ros.input_diagnosis import UNNAMED, Silence

    lines = []
    logger = SimpleNamespace(warning=lines.append, info=lines.append)
    node = SimpleNamespace(get_logger=lambda: logger)
    camera = SimpleNamespace(_logged=None, _unnamed=0, _node=node, silence=None, description="image")
    unnamed, named = (Silence("silent", f"{node} has stopped publishing") for node in (UNNAMED, "/driver"))
    for found in (unnamed, named, named, unnamed):
        ImageInput._notice(camera, found)
        assert camera.silence is found  # the diagnostics say what is known now
    assert lines == [named.text]
    ImageInput._notice(camera, None)
    for _ in range(PATIENCE + 3):
        ImageInput._notice(camera, unnamed)
    assert lines[2:] == [unnamed.text]  # the name stayed unknown


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
    wait_for(lambda: client.publisher("quiet/image").get_subscription_count() == 1, "the node in the publisher's view")
    client.send(topic="quiet/image")
    wait_for(lambda: "images arrive on /quiet/image" in process.output, "the good news")
    wait_for(lambda: "has stopped publishing" in client.status["camera quiet"][1], "silence again")
    assert process.output.count("/test_client has stopped publishing") == 1
    assert process.interrupt() == 0
