# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The service ``~/segment``: one image in, its masks out."""

import time

import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from fcis_ros.messages.image_messages import to_rgb
from fcis_ros.messages.mask_messages import to_message
from fcis_ros.ros.camera import MASK_TYPES
from fcis_ros.ros.executor_waker import ExecutorWaker
from fcis_ros.ros.frame_queue import FrameQueue, QueuedFrame
from fcis_ros.ros.inference_worker import ComputedFrame, PublishedFrame, with_total
from fcis_ros.ros.params import CurrentSettings
from fcis_ros.srv import Segment


class SegmentService:
    """A sink like a camera: its requests take turns with the cameras' frames.

    Attributes:
        waiting: the future that the request in progress waits for; None without one.
    """

    NAME = "~/segment"

    def __init__(self, node: Node, queue: FrameQueue, settings: CurrentSettings, waker: ExecutorWaker):
        self._queue, self._settings, self._waker = queue, settings, waker
        self.waiting: Future | None = None
        # A separate group: requests are served one after the other, the node's other callbacks meanwhile.
        node.create_service(Segment, self.NAME, self._serve, callback_group=MutuallyExclusiveCallbackGroup())

    async def _serve(self, request: Segment.Request, response: Segment.Response) -> Segment.Response:
        future = self.waiting = self._waker.future()
        if self._queue.put(self.NAME, (request.image, response, future)):
            response = await future
        else:
            response.message = "no model is loaded: configure the node first"
        self.waiting = None
        return response

    def dismiss(self) -> None:
        """Answers the accepted request that has no answer yet, if there is one; from any thread."""
        if (future := self.waiting) is not None and not future.done():
            self._waker.resolve(future, Segment.Response(message="the node stopped serving before the image was computed"))

    def decode(self, frame: QueuedFrame) -> np.ndarray:
        return to_rgb(frame.message[0])

    def publish(self, frame: ComputedFrame) -> PublishedFrame:
        """Answers the request with the masks that pass the settings."""
        start = time.perf_counter()
        image, response, future = frame.queued.message
        kept = frame.instances.select(self._settings.value.keep(frame.instances))
        response.masks = to_message(MASK_TYPES, kept, image.header, frame.model)
        response.success = True
        self._waker.resolve(future, response)
        return PublishedFrame(with_total({**frame.stage_ms, "masks": (time.perf_counter() - start) * 1000}))

    def refuse(self, frame: QueuedFrame, reason: str) -> None:
        _, response, future = frame.message
        response.message = reason
        self._waker.resolve(future, response)
