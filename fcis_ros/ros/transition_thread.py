# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A thread for lifecycle transitions, which may take seconds: the executor answers everything else meanwhile."""

import threading
from collections.abc import Callable, Coroutine
from typing import Any

from rclpy.impl.rcutils_logger import RcutilsLogger

from fcis_ros.ros.executor_waker import ExecutorWaker


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
