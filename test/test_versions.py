# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import platform

import numpy as np
import torch

import fcis_ros
from fcis_ros.versions import versions


def test_versions_are_those_that_run(monkeypatch):
    monkeypatch.setenv("ROS_DISTRO", "kilted")
    expected = {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__}
    assert versions().items() >= {**expected, "fcis_ros": fcis_ros.__version__, "ros": "kilted"}.items()
    assert {"system", "opencv-python-headless", "pycocotools"} <= versions().keys()
