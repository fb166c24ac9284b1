# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The planner as a node: ``masks`` (fcis_ros/InstanceMaskArray) in, ``command`` (std_msgs/String: go, slow, stop) out.

ros2 run has no entry for an example: python3 planner_node.py --ros-args -r masks:=/fcis_node/masks
"""

import rclpy
from planner import NAMES, STOP, Planner
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from std_msgs.msg import String

from fcis_ros.errors import InputError
from fcis_ros.messages.mask_messages import from_message
from fcis_ros.msg import InstanceMaskArray

SILENCE = 0.5  # seconds without masks after which the answer is stop


class PlannerNode(Node):
    """Answers every message, and says stop where there is none or it cannot be trusted."""

    def __init__(self) -> None:
        super().__init__("planner")
        self._planner = Planner()
        self._publisher = self.create_publisher(String, "command", 1)
        self._subscription = self.create_subscription(InstanceMaskArray, "masks", self._decide, 1)
        self._watchdog = self.create_timer(SILENCE, self._stop)

    def _decide(self, message: InstanceMaskArray) -> None:
        self._watchdog.reset()
        try:
            from_message(message)  # masks come from the network: nothing in them is trusted
        except InputError as error:
            self.get_logger().error(str(error), throttle_duration_sec=5.0)
            self._stop()
            return
        self._say(self._planner.update(message.masks, message.height, message.width))

    def _stop(self) -> None:
        self._planner = Planner()
        self._say(STOP)

    def _say(self, command: int) -> None:
        self._publisher.publish(String(data=NAMES[command]))


def main() -> None:
    rclpy.init()
    try:
        rclpy.spin(PlannerNode())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:  # rcl's, where a signal ends the context between rclpy's look at it and its wait
        if rclpy.ok():
            raise
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
