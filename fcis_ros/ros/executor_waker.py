# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Wakes the executor of a node from other threads."""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.task import Future


class ExecutorWaker:
    """Makes the executor of a node look at changes of other threads at once.

    Args:
        node: the node whose executor is woken.
        callback: the function that the executor calls then.
    """

    def __init__(self, node: Node, callback: Callable[[], None]):
        self._node = node
        self._condition = node.create_guard_condition(callback)

    def wake(self) -> None:
        """Makes the executor run the callback soon."""
        if self._node.context.ok():
            self._condition.trigger()

    def future(self) -> Future:
        """Returns a future that a service callback can await."""
        return Future(executor=self._node.executor)

    def resolve(self, future: Future, result: Any) -> None:
        """Ends the wait for a future."""
        future.set_result(result)
        self.wake()
