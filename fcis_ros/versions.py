# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Versions of the software that computes, for reports and for the provenance of a checkpoint."""

import os
import platform
from importlib import metadata

import cv2
import torch

import fcis_ros


def versions() -> dict[str, str]:
    """Returns the versions of Python, the libraries and ROS by name."""
    by_name = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    for package in ("numpy", "opencv-python-headless", "pycocotools", "rosbags"):
        try:
            by_name[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    # The metadata of torch lack the CUDA version of the build, which its __version__ names.
    by_name |= {"fcis_ros": fcis_ros.__version__, "torch": torch.__version__}
    by_name.setdefault("opencv-python-headless", cv2.__version__)
    if distribution := os.environ.get("ROS_DISTRO"):
        by_name["ros"] = distribution
    return by_name
