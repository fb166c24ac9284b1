# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tracks of instances through the frames of a camera; no ROS."""
