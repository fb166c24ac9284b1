# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Everything that knows ROS 2: the nodes, their parameters, and conversions from and to messages."""
