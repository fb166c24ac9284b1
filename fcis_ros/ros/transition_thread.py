# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Wakes the executor from other threads, and runs lifecycle transitions in one: it answers everything else meanwhile."""

import threading
from collections.abc import Callable, Coroutine
from typing import Any

from rclpy.impl.rcutils_logger import RcutilsLogger
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


class TransitionThread:
    """Runs one transition at a time.

    Args:
        waker: the waker of the node's executor.
        logger: the logger of the node.
        is_running: whether the node goes on; errors of a transition after its end are ignored.
    """

    def __init__(self, waker: ExecutorWaker, logger: RcutilsLogger, is_running: Callable[[], bool]):
        self._waker, self._logger, self._is_running = waker, logger, is_running
        self._thread: threading.Thread | None = None

    def start(self, transition: Callable[[], None]) -> bool:
        """Runs a transition in a new thread; returns False, without running it, while another one is in progress."""
        if self._thread is not None and self._thread.is_alive():
            return False

        def run() -> None:
            try:
                transition()
            except Exception:
                if self._is_running():  # otherwise rclpy fails because its publishers or the context are gone
                    raise

        self._thread = threading.Thread(target=run, name="fcis_transition", daemon=True)
        self._thread.start()
        return True

    def service_callback(self, change_state: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Coroutine]:
        """Returns rclpy's blocking callback of ``change_state`` as one that waits without blocking the executor."""

        async def answer(request: Any, response: Any) -> Any:
            future = self._waker.future()

            def change() -> None:
                try:
                    change_state(request, response)
                except Exception as error:  # noqa: BLE001 (rclpy before Kilted: the transition does not exist)
                    if self._is_running():
                        self._logger.error(f"transition refused: {error}")
                self._waker.resolve(future, response)

            if not self.start(change):
                self._logger.error("transition refused: another one is in progress")
                return response
            return await future

        return answer
