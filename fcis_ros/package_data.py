# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Where the files that come with the package lie, however it was installed."""

import os
from pathlib import Path

from fcis_ros.errors import InputError


def package_file(folder: str, name: str) -> Path:
    """A file of ``weights`` or ``config/models``: beside the sources, in the package (pip), or under ``share/`` (colcon).

    Raises:
        InputError: it was not installed.
    """
    package = Path(__file__).resolve().parent
    places = [package.parent / folder, package / Path(folder).name]
    places += [prefix / "share" / "fcis_ros" / folder for prefix in Path(__file__).parents]
    places += [Path(p) / "share" / "fcis_ros" / folder for p in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if p]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise InputError(f"{name}: not found in {places[0]} or any installed share/fcis_ros/{folder}")
