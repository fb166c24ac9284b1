# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``~/segment``: one image in, its masks out."""

from typing import Any

import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.task import Future

from fcis_ros.messages import mask_messages
from fcis_ros.messages.image_messages import to_rgb
from fcis_ros.ros.frame_queue import FrameQueue, QueuedFrame
from fcis_ros.srv import Segment
from fcis_ros.structures import Instances


class SegmentService:
    """An outlet of the engine, like a camera: its requests wait their turn among the cameras' frames.

    Attributes:
        waiting: the answer that a client waits for, if one does.
    """

    NAME = "~/segment"

    def __init__(self, node: Any, inbox: FrameQueue):
        self._node, self._inbox = node, inbox
        self.waiting: Future | None = None
        # One request after the other, in a group of its own: the node's other callbacks go on meanwhile.
        node.create_service(Segment, self.NAME, self._serve, callback_group=MutuallyExclusiveCallbackGroup())

    async def _serve(self, request: Segment.Request, response: Segment.Response) -> Segment.Response:
        future = self.waiting = Future(executor=self._node.executor)
        if self._inbox.put(self.NAME, (request.image, response, future)):
            response = await future
        else:
            response.message = "no model is loaded: configure the node first"
        self.waiting = None
        return response

    def dismiss(self) -> None:
        """Answers the request that was accepted and is not answered yet, if there is one; from any thread."""
        if (future := self.waiting) is not None and not future.done():
            self._node.resolve(future, Segment.Response(message="the node stopped serving before the image was computed"))

    def image_of(self, frame: QueuedFrame) -> np.ndarray:
        return to_rgb(frame.message[0])

    def answer(self, frame: QueuedFrame, image: np.ndarray, found: Instances) -> None:
        request, response, future = frame.message
        kept = found.select(self._node.settings.keep(found))
        response.masks = mask_messages.to_message(kept, request.header, self._node.model)
        response.success = True
        self._node.resolve(future, response)

    def picture(self, frame: QueuedFrame, image: np.ndarray, kept: None, device: Any) -> dict[str, float]:
        return {}

    def timed(self, frame: QueuedFrame, times: dict[str, float]) -> None:
        pass

    def refuse(self, frame: QueuedFrame, reason: str) -> None:
        _, response, future = frame.message
        response.message = reason
        self._node.resolve(future, response)
