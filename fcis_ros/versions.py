# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Versions of what computes: for reports and for the provenance of a checkpoint."""

import os
import platform
from importlib import metadata

import cv2
import torch

import fcis_ros


def versions() -> dict[str, str]:
    """Versions of what computed the numbers."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    for package in ("numpy", "opencv-python-headless", "pycocotools", "rosbags"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    found |= {"fcis_ros": fcis_ros.__version__, "torch": torch.__version__}  # torch's own says for which CUDA it was built
    found.setdefault("opencv-python-headless", cv2.__version__)
    if distribution := os.environ.get("ROS_DISTRO"):
        found["ros"] = distribution
    return found
