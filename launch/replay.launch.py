# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Plays a recording into the node, with RViz: ``ros2 launch fcis_ros replay.launch.py bag:=drive/``.

All arguments of camera.launch.py may be given, too (``device:=cuda``, ``score_threshold:=0.3`` ...): this file only sets the
recording as its source, in recorded time or at ``rate``, once unless ``loop:=true``. It begins when the node is ready. At the
end the log says how many frames were sent, answered and lost. The status is 2 if some were lost with ``frame_policy:=every``.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from fcis_ros.ros import launch_checks
from launch import LaunchDescription


def check(context) -> list:
    """Checks the recording here, where the argument is called ``bag``."""
    launch_checks.recording("bag", LaunchConfiguration("bag").perform(context))
    return []


def generate_launch_description() -> LaunchDescription:
    camera = Path(get_package_share_directory("fcis_ros")) / "launch" / "camera.launch.py"
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="Recording (rosbag2): a folder, or a bare .mcap or .db3 file."),
            DeclareLaunchArgument(
                "loop", default_value="false", description="Whether it starts again at its end.", choices=("true", "false")
            ),
            DeclareLaunchArgument("rviz", default_value="true", description="Whether RViz runs.", choices=("true", "false")),
            OpaqueFunction(function=check),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(camera)),
                launch_arguments=[("source", LaunchConfiguration("bag")), ("wait", "true")],
            ),
        ]
    )
