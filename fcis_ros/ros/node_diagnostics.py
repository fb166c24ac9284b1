# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Publishes the diagnostics of the node."""

import time
from collections import deque
from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from fcis_ros.ros import diagnostics, model_loading
from fcis_ros.ros.inference_worker import InferenceWorker

PERIOD = 1.0  # seconds between messages


class NodeDiagnostics:
    """The publisher of /diagnostics, and the status of the model."""

    def __init__(self, node: Node):
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._ignored: deque[int] = deque([0], maxlen=int(diagnostics.WINDOW / PERIOD))

    def publish(self, statuses: Sequence[diagnostics.Status]) -> None:
        node, array = self._node.get_fully_qualified_name(), DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        for status in statuses:
            values = [KeyValue(key=key, value=str(value)) for key, value in status.values.items()]
            array.status.append(
                DiagnosticStatus(
                    level=bytes([status.level]), name=f"{node}: {status.name}", message=status.message, hardware_id=node,
                    values=values,
                )
            )  # fmt: skip
        self._publisher.publish(array)

    def count_ignored_rois(self, total: int) -> None:
        """Notes the ROIs ignored since the model was loaded; called once per period."""
        self._ignored.append(total)

    def model_status(
        self, state: str, progress: str, worker: InferenceWorker | None, facts: Mapping[str, object], requests: int
    ) -> diagnostics.Status:
        """Returns the status of the model.

        Args:
            state: the state of the life cycle.
            progress: the step of loading; empty while nothing is loaded.
            worker: the worker with the model; None without one.
            facts: {key: value} that loading has told.
            requests: the number of requests to ``~/segment``.
        """
        values, times = dict(facts), {}
        if worker is not None:
            times = worker.stages.percentiles(time.monotonic(), (50,))
            if worker.predictor.device.type == "cuda":
                values["gpu_memory_mb"] = model_loading.gpu_megabytes(worker.predictor.device)
        values |= {"ignored_rois": self._ignored[-1], "segment_requests": requests}
        ignored = max(0, self._ignored[-1] - self._ignored[0])
        return diagnostics.model_status(state, progress, times, ignored, values)
