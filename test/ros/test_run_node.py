# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A node that is served while another thread destroys its publishers, or while a signal ends its context."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.ros


def test_spin_once_destroyed_event_is_ignored():
    """The moment in which a publisher's events are destroyed and still listed: rclpy alone ends with an error."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from std_msgs.msg import Empty

    from fcis_ros.ros import run_node

    context = rclpy.Context()
    rclpy.init(context=context)
    node, executor, ticks = rclpy.create_node("vanishing", context=context), SingleThreadedExecutor(context=context), []
    try:
        executor.add_node(node)
        node.create_timer(0.01, lambda: ticks.append(len(ticks)))
        publisher = node.create_publisher(Empty, "vanishing", 1)
        for event in publisher.event_handlers:
            event.destroy()
        with pytest.raises(Exception, match="destruction was requested"):
            executor.spin_once()
        run_node.spin_once(executor)
        assert not ticks
        node.destroy_publisher(publisher)
        while len(ticks) < 3:
            run_node.spin_once(executor)
    finally:
        node.destroy_node()
        rclpy.try_shutdown(context=context)


@pytest.mark.parametrize("ended", [True, False])
def test_spin_once_rcl_error_after_end_raises_shutdown(ended):
    """The moment after rclpy has found the context alive and before it makes a wait set of it."""
    import rclpy
    from rclpy.executors import ExternalShutdownException
    from rclpy.impl.implementation_singleton import rclpy_implementation

    from fcis_ros.ros import run_node

    context = rclpy.Context()
    rclpy.init(context=context)

    def fail(_seconds):
        if ended:
            context.shutdown()
        raise rclpy_implementation.RCLError("failed to initialize wait set: the given context is not valid")

    try:
        with pytest.raises(ExternalShutdownException if ended else rclpy_implementation.RCLError):
            run_node.spin_once(SimpleNamespace(spin_once=fail, context=context))
    finally:
        context.try_shutdown()


INTERRUPTED = """
import sys

import rclpy
from rclpy.node import Node

from fcis_ros.ros import run_node


class Interrupted(Node):
    exit_status = 0

    def finish(self):
        pass

    def destroy_node(self):
        raise ValueError("list.remove(x): x not in list")


sys.exit(run_node.run("test", lambda: Interrupted("interrupted"), lambda executor, node: {spin}))
"""


@pytest.mark.parametrize(("spin", "status"), [("rclpy.shutdown()", 0), ("None", 1)], ids=["signal", "regular end"])
def test_run_publishers_destroyed_by_two_threads_matter_without_signal_only(spin, status):
    done = subprocess.run([sys.executable, "-c", INTERRUPTED.format(spin=spin)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status and ("ValueError" in done.stderr) == (status == 1), done.stderr
