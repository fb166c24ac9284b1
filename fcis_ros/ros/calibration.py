# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads the YAML file of a camera calibration (camera_calibration, camera_info_manager) into a ``CameraInfo``."""

import math
from pathlib import Path
from typing import Any

import yaml

from fcis_ros.errors import InputError

SIZES = {"camera_matrix": ("k", 9), "rectification_matrix": ("r", 9), "projection_matrix": ("p", 12)}


def fill(info: Any, url: str) -> None:
    """Reads a calibration into a message; the header is not changed.

    Args:
        info: the ``sensor_msgs/CameraInfo`` to fill.
        url: a URL ``file:///path`` or a path.

    Raises:
        InputError: the file is missing or is no calibration.
    """
    path = Path(url.removeprefix("file://"))
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
