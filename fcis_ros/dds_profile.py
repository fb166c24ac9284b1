# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The environment variable of the Fast DDS profile that the package brings for large images."""

import os
from pathlib import Path


def profile_variable() -> str:
    """The environment variable that names a Fast DDS profile.

    Each version reads one name only, Fast DDS before 3 (Humble, Iron, Jazzy; ``libfastrtps``) the old one. The library that the
    middleware in the environment is linked with decides, because ``ROS_DISTRO`` is not set everywhere.
    """
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        library = Path(prefix, "lib", "librmw_fastrtps_shared_cpp.so")
        if library.is_file():
            old = b"\0libfastrtps.so" in library.read_bytes()  # among the names of the libraries that it needs
            return "FASTRTPS_DEFAULT_PROFILES_FILE" if old else "FASTDDS_DEFAULT_PROFILES_FILE"
    return "FASTDDS_DEFAULT_PROFILES_FILE"
