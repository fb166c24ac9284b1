# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A process around one node: clean ends whatever happens, and the statuses that say what did.

Imported before everything that takes time, rclpy included.
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

DONE, UNUSABLE, DEVICE_LOST = 0, 2, 3  # statuses; 1 is Python's own for what nobody foresaw
SIGNALS = (signal.SIGINT, signal.SIGTERM)
LAST_SECONDS = 3.0  # for a thread that loads or computes, after the end; it has nothing left to save
_initialised = False


def obey_signals() -> None:
    """From now on SIGINT and SIGTERM, however many, end the process with status 0 and without a traceback.

    Before ``run`` has initialised rclpy there is nothing to clean up, and they end it at once. Afterwards rclpy's own handler,
    which calls this one first, ends the spinning.
    """

    def handle(*_) -> None:
        if not _initialised:
            os._exit(DONE)

    for number in SIGNALS:
        signal.signal(number, handle)


def _without_places(error: Exception) -> str:
    """What rcl says of arguments, files and the environment, without the lines of its sources."""
    if type(error).__name__ == "UnknownROSArgsError":
        return f"unknown ROS arguments {error}"
    lines = str(error).removeprefix("failed to initialize rcl: ").splitlines() or [type(error).__name__]
    return re.sub(r",? at \S+:\d+|\.? Error: error not set", "", lines[0])


def spin_once(executor: Any, seconds: float | None = None) -> None:
    """Serves one callback of a node whose publishers may be destroyed by another thread meanwhile.

    rclpy gathers what to wait for without a lock: a publisher's events that are destroyed just then are an error of the whole
    executor, which has lost nothing by it and gathers anew the next time. Likewise a signal that ends the context just then.

    Args:
        executor: the executor of the node.
        seconds: time to wait for a callback; None waits for ever.

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
    """Serves callbacks until ``done``, LAST_SECONDS at most; after a signal only those that are under way already."""
    from rclpy.executors import ExternalShutdownException

    deadline = time.monotonic() + LAST_SECONDS
    with contextlib.suppress(ExternalShutdownException):  # comes when all of those have gone on
        while not done() and time.monotonic() < deadline:
            spin_once(executor, 0)


def run(name: str, make_node: Callable[[], Any], spin: Callable[[Any, Any], None]) -> int:
    """Makes a node, spins it until it ends or a signal comes, and cleans up.

    Args:
        name: of the executable, for messages.
        make_node: makes an object that has ``exit_status`` and ``finish``, which is called before it is destroyed; may raise
            InputError, to say that a parameter cannot be used.
        spin: gets the executor and the node.

    Returns:
        The status of the process: 0 after a signal or a proper end, 2 if something given cannot be used (parameters, ROS
        arguments, their files, the environment), or the node's ``exit_status``.
    """
    global _initialised
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    try:
        rclpy.init()
    except Exception as error:  # noqa: BLE001 (of several kinds that rclpy does not name, all about what it was given)
        print(f"{name}: {_without_places(error)}", file=sys.stderr)
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
        if rclpy.ok():  # else interrupted half-way
            print(f"{name}: {error}", file=sys.stderr)
            status = UNUSABLE
    except Exception as error:
        if rclpy.ok():  # else interrupted half-way
            if node is not None or type(error).__name__ != "RCLError":
                raise
            print(f"{name}: {_without_places(error)}", file=sys.stderr)  # the environment asks for what the middleware cannot
            status = UNUSABLE
    finally:
        if node is not None:
            status = status or node.exit_status
            node.finish()
            node.destroy_node()
        rclpy.try_shutdown()
        for number in SIGNALS:  # until the very end: Python itself would bring the deadly defaults back
            signal.signal(number, signal.SIG_IGN)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(LAST_SECONDS)
    if threading.active_count() > 1:
        # Python would tear down PyTorch beneath a thread that still loads or computes.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status
