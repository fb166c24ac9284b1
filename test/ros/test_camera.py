# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A camera as a sink, with recorded publishers."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest

from fcis_ros.structures import Instances

pytestmark = pytest.mark.ros

INSTANCES = Instances(
    6, 8, np.array([[0, 0, 2, 2], [4, 3, 8, 6]], np.int32), np.array([0.9, 0.3], np.float32), np.array([1, 2]),
    (np.array([0, 4], np.uint32), np.array([0, 12], np.uint32)), ("car", "pedestrian"),
)  # fmt: skip


class Publisher:
    def __init__(self, error=None):
        self.messages, self.error = [], error

    def get_subscription_count(self):
        return 1

    def publish(self, message):
        if self.error:
            raise self.error
        self.messages.append(message)


@pytest.fixture
def running():
    """Whether the ROS context has not ended."""
    return SimpleNamespace(value=True)


@pytest.fixture
def camera(running):
    from rclpy.clock import Clock

    from fcis_ros.ros.camera import OUTPUTS, Camera, CameraContext
    from fcis_ros.ros.params import PARAMETERS, SETTINGS, CurrentSettings, Settings

    settings = Settings(**{row.name: row.default for row in PARAMETERS if row.name in SETTINGS} | {"classes": ()})
    ros = SimpleNamespace(ok=lambda: running.value)
    camera = Camera("", CameraContext("/node", Clock(), logging.getLogger(), ros, CurrentSettings(settings), True))
    camera.publishers = {name: Publisher() for name in OUTPUTS}
    return camera


@pytest.fixture
def frame():
    import torch
    from sensor_msgs.msg import Image

    from fcis_ros.ros.frame_queue import QueuedFrame
    from fcis_ros.ros.inference_worker import ComputedFrame

    queued, image = QueuedFrame("", Image(), 0.0), np.zeros((6, 8, 3), np.uint8)
    queued.message.header.stamp.sec = 5
    return ComputedFrame(queued, image, INSTANCES, {"convert": 1.0, "rpn": 2.0}, "tiny", torch.device("cpu"))


def test_publish_sends_every_output_and_returns_all_stages(camera, frame):
    published = camera.publish(frame)
    assert published.error is None
    assert list(published.stage_ms) == ["convert", "rpn", "masks", "overlay", "labels", "labels_color", "total"]
    assert published.stage_ms["total"] == pytest.approx(sum(published.stage_ms.values()) - published.stage_ms["total"])
    assert all(len(publisher.messages) == 1 for publisher in camera.publishers.values())
    (masks,) = camera.publishers["masks"].messages
    assert masks.model == "tiny" and [(mask.id, mask.class_name) for mask in masks.masks] == [(1, "car")]
    (timing,) = camera.publishers["timing"].messages
    assert [entry.key for entry in timing.status[0].values] == list(published.stage_ms)


@pytest.mark.parametrize("output", ["overlay", "timing"])
def test_publish_failing_picture_returns_error_after_masks(camera, frame, output):
    camera.publishers[output].error = RuntimeError("no memory")
    published = camera.publish(frame)
    assert str(published.error) == "no memory" and "masks" in published.stage_ms
    assert len(camera.publishers["masks"].messages) == 1


@pytest.mark.parametrize(("ok", "error"), [(True, "RuntimeError"), (False, "NodeEndedError")])
def test_publish_failing_masks_raises(camera, frame, running, ok, error):
    running.value = ok
    camera.publishers["masks"].error = RuntimeError("publish")
    with pytest.raises(Exception) as raised:
        camera.publish(frame)
    assert type(raised.value).__name__ == error
