# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads the YAML file of a camera calibration (camera_calibration, camera_info_manager) into a ``CameraInfo``."""

import math
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml
from ament_index_python.packages import get_package_share_directory

from fcis_ros.errors import InputError

SIZES = {"camera_matrix": ("k", 9), "rectification_matrix": ("r", 9), "projection_matrix": ("p", 12)}


def resolve(url: str, name: str) -> Path:
    """Returns the file that a URL names, by the rules of camera_info_manager.

    Args:
        url: ``file:///path``, ``package://package/path``, or a path; ``${NAME}`` stands for the camera, ``${ROS_HOME}`` for the
            folder of that variable, or ``~/.ros``. ``%20`` in a URL is a blank.
        name: name of the camera.

    Raises:
        InputError: the URL is of another kind, or its package is not installed.
    """
    names = {"NAME": name, "ROS_HOME": os.environ.get("ROS_HOME") or str(Path("~/.ros").expanduser())}
    if unknown := [word for word in re.findall(r"\$\{(.*?)\}", url) if word not in names]:
        raise InputError(f"camera_info_url {url}: ${{{unknown[0]}}} is unknown, there are ${{NAME}} and ${{ROS_HOME}}")
    scheme, separator, path = re.sub(r"\$\{(.*?)\}", lambda found: names[found[1]], url).partition("://")
    if not separator:
        return Path(scheme)
    path = unquote(path)
    if scheme == "file" and path.startswith("/"):
        return Path(path)
    if scheme != "package":
        raise InputError(f"camera_info_url {url}: expected file:///PATH, package://PACKAGE/PATH or a path")
    package, _, inside = path.partition("/")
    try:
        return Path(get_package_share_directory(package)) / inside
    except (LookupError, ValueError, OSError):  # no such package; no name of a package; no workspace
        raise InputError(f"camera_info_url {url}: the package {package!r} is not installed") from None


def fill(info: Any, url: str, name: str) -> None:
    """Reads a calibration into a message; the header is not changed.

    Args:
        info: the ``sensor_msgs/CameraInfo`` to fill.
        url: file as for ``resolve``.
        name: name of the camera.

    Raises:
        InputError: the file is missing or is no calibration.
    """
    path = resolve(url, name)
    try:
        content = yaml.safe_load(path.read_text())
        info.width, info.height = int(content["image_width"]), int(content["image_height"])
        info.distortion_model = str(content.get("distortion_model", "plumb_bob"))
        info.d = _numbers(content["distortion_coefficients"])
        for name, (field, size) in SIZES.items():
            values = _numbers(content[name])
            if len(values) != size:
                raise ValueError(f"{name} has {len(values)} numbers, not {size}")
            setattr(info, field, values)
    except OSError as error:
        raise InputError(f"camera_info_url {url}: {error.strerror}") from None
    except KeyError as error:
        raise InputError(f"camera_info_url {url}: {error} is missing") from None
    except (AttributeError, TypeError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"camera_info_url {url}: not a calibration: {' '.join(str(error).split())}") from None


def _numbers(matrix: dict) -> list[float]:
    values = [float(value) for value in matrix["data"]]
    if not all(map(math.isfinite, values)):
        raise ValueError("a number is not finite")
    return values
