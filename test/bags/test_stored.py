# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Topics whose messages are those of ROS 2."""

import pytest

from fcis_ros.bags.stored import StoredTopic


@pytest.mark.parametrize(("encoding", "readable"), [("cdr", True), ("", True), ("json", False), ("ros1", False)])
def test_readable_messages_of_ros_2_are(encoding, readable):
    assert StoredTopic("/cam", "sensor_msgs/msg/Image", encoding, 1).readable == readable
