# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Paths of the files that come with the package, for every way of installation."""

import os
from pathlib import Path

from fcis_ros.errors import InputError


def package_file(folder: str, name: str) -> Path:
    """Returns a file of ``weights`` or ``config/models``: in the sources, in the package (pip), or in ``share/`` (colcon).

    Raises:
        InputError: the file is not installed.
    """
    package = Path(__file__).resolve().parent
    ament_prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if prefix]
    folders = [package.parent / folder, package / Path(folder).name]
    folders += [prefix / "share" / "fcis_ros" / folder for prefix in (*Path(__file__).parents, *ament_prefixes)]
    for path in folders:
        if (path / name).is_file():
            return path / name
    raise InputError(f"{name}: not found in {folders[0]} or any installed share/fcis_ros/{folder}")
