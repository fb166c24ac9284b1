# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A node that is served while another thread destroys its publishers."""

import pytest

pytestmark = pytest.mark.ros


def test_events_that_vanish_while_they_are_gathered_end_nothing():
    """The moment in which a publisher's events are destroyed and still listed: rclpy alone ends with an error."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from std_msgs.msg import Empty

    from fcis_ros.ros import process

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
        process.spin_once(executor)
        assert not ticks
        node.destroy_publisher(publisher)
        while len(ticks) < 3:
            process.spin_once(executor)
    finally:
        node.destroy_node()
        rclpy.try_shutdown(context=context)
