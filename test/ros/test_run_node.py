# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A node that is served while another thread destroys its publishers, or while a signal ends its context."""

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.ros


def test_events_that_vanish_while_they_are_gathered_end_nothing():
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
def test_spin_once_with_an_error_of_rcl_raises_the_end_of_the_context_if_that_is_the_reason(ended):
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
