# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``launcher.py FILE NAME:=VALUE ...``: what ``ros2 launch`` does with a launch file, by the library under it."""

import sys

from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource

from launch import LaunchDescription, LaunchService

path, *given = sys.argv[1:]
arguments = [tuple(argument.split(":=", 1)) for argument in given]
service = LaunchService(argv=given)
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(AnyLaunchDescriptionSource(path), launch_arguments=arguments)])
)
sys.exit(service.run())
