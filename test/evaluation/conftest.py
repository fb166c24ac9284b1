# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of recordings and image files."""

import cv2
import numpy as np
import pytest
from recordings import annotations, bag, bags, evaluation, scenes  # noqa: F401 (fixtures)

from fcis_ros.evaluation.prediction_folder import ImageFile


@pytest.fixture
def files(tmp_path):
    """Three images with bright rectangles, which the network finds."""
    files = []
    for number in range(3):
        pixels = np.full((96, 128, 3), 40 + number, np.uint8)
        pixels[6:36, 4:44] = 230
        files.append(ImageFile(10 + number, tmp_path / f"{number}.png"))
        cv2.imwrite(str(files[-1].path), pixels)
    return files
