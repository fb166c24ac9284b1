# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Runs one node in a process, ends it cleanly in every case, and sets the exit status.

Imported before everything that takes time, including rclpy.
"""

import contextlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from fcis_ros.errors import InputError

DONE, UNUSABLE, DEVICE_LOST = 0, 2, 3  # exit statuses; 1 is Python's for an unexpected exception
SIGNALS = (signal.SIGINT, signal.SIGTERM)
LAST_SECONDS = 3.0  # longest wait at the end for a thread that loads or computes; it has nothing to save
_initialised = False


def obey_signals() -> None:
    """Makes SIGINT and SIGTERM, also repeated ones, end the process with status 0 and without a traceback.

    Before ``run`` has initialised rclpy there is nothing to clean up, and they end it at once. Afterwards rclpy's handler,
    which calls this one first, ends the spinning.
    """

    def handle(*_) -> None:
        if not _initialised:
            os._exit(DONE)

    for number in SIGNALS:
        signal.signal(number, handle)


def _without_source_lines(error: Exception) -> str:
    """Returns rcl's error about arguments, files or the environment, without the names and lines of its sources."""
    if type(error).__name__ == "UnknownROSArgsError":
        return f"unknown ROS arguments {error}"
    lines = str(error).removeprefix("failed to initialize rcl: ").splitlines() or [type(error).__name__]
    return re.sub(r",? at \S+:\d+|\.? Error: error not set", "", lines[0])


def spin_once(executor: Any, seconds: float | None = None) -> None:
    """Serves one callback of a node whose publishers may be destroyed by another thread meanwhile.

    rclpy collects its wait set without a lock: an event of a publisher that is destroyed just then is an error of the executor,
    which loses nothing by it and collects again the next time. The same holds for a signal that ends the context just then.

    Args:
        executor: the executor of the node.
        seconds: the longest wait for a callback; None for no limit.

    Raises:
        ExternalShutdownException: the context has ended.
    """
    from rclpy.executors import ExternalShutdownException
    from rclpy.impl.implementation_singleton import rclpy_implementation

    try:
        executor.spin_once(seconds)
    except rclpy_implementation.InvalidHandle:
        pass
    except rclpy_implementation.RCLError:
        if executor.context.ok():
            raise
        raise ExternalShutdownException from None


def spin_until(executor: Any, done: Callable[[], bool]) -> None:
    """Serves callbacks until ``done``, for LAST_SECONDS at most; after a signal only those already in progress."""
    from rclpy.executors import ExternalShutdownException

    deadline = time.monotonic() + LAST_SECONDS
    with contextlib.suppress(ExternalShutdownException):  # raised when all of those have ended
        while not done() and time.monotonic() < deadline:
            spin_once(executor, 0)


def run(name: str, make_node: Callable[[], Any], spin: Callable[[Any, Any], None]) -> int:
    """Creates a node, spins it until it ends or a signal comes, and cleans up.

    Args:
        name: the name of the executable, for messages.
        make_node: a function that returns a node with ``exit_status`` and ``finish``, which is called before it is
            destroyed; raises InputError if a parameter cannot be used.
        spin: a function that spins the executor, which it gets with the node.

    Returns:
        The exit status: 0 after a signal or a regular end, 2 if parameters, ROS arguments, their files or the environment
        cannot be used, or the node's ``exit_status``.
    """
    global _initialised
    import rclpy
    from ament_index_python.packages import get_package_prefix
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    try:
        get_package_prefix("fcis_ros")
    except (LookupError, OSError):  # it is not among the packages; there are none
        print(f"{name}: this workspace is not sourced: source install/setup.bash first", file=sys.stderr)
        return UNUSABLE
    try:
        rclpy.init()
    except Exception as error:  # noqa: BLE001 (rclpy raises undocumented types, all about its arguments)
        print(f"{name}: {_without_source_lines(error)}", file=sys.stderr)
        return UNUSABLE
    _initialised = True
    node, status = None, DONE
    try:
        executor = SingleThreadedExecutor()
        node = make_node()
        executor.add_node(node)
        spin(executor, node)
    except ExternalShutdownException:
        pass
    except InputError as error:
        if rclpy.ok():  # otherwise interrupted
            print(f"{name}: {error}", file=sys.stderr)
            status = UNUSABLE
    except Exception as error:
        if rclpy.ok():  # otherwise interrupted
            if node is not None or type(error).__name__ != "RCLError":
                raise
            print(f"{name}: {_without_source_lines(error)}", file=sys.stderr)  # a feature that the middleware lacks
            status = UNUSABLE
    finally:
        if node is not None:
            status = status or node.exit_status
            node.finish()
            try:
                node.destroy_node()
            except Exception:
                if rclpy.ok():  # otherwise a transition, interrupted by the signal, destroys the same publishers in its thread
                    raise
        rclpy.try_shutdown()
        for number in SIGNALS:  # until the end: Python would restore the defaults, which kill
            signal.signal(number, signal.SIG_IGN)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(LAST_SECONDS)
    if threading.active_count() > 1:
        # Python would unload PyTorch while a thread still uses it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status
