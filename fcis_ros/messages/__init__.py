# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Images and masks to and from ROS messages, without rclpy."""
