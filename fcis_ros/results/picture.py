# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a report shows of an image: what was found in it, and a red line around what was not."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros import overlay
from fcis_ros.structures import Instances

WIDTH = 640  # pixels; wider pictures are scaled down
MISSED = (214, 39, 40)


def picture(image: np.ndarray, found: Instances, missed: Sequence[dict[str, Any]]) -> bytes:
    """A JPEG.

    Args:
        image: [H, W, 3] uint8, RGB.
        found: instances in it, all of which are drawn.
        missed: objects that were not found, as COCO annotations with compressed run lengths.
    """
    drawn = np.ascontiguousarray(overlay.draw(image, found))
    thickness = max(2, round(min(drawn.shape[:2]) / 200))
    for own in missed:
        outlines, _ = cv2.findContours(coco_mask.decode(own["segmentation"]), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, MISSED, thickness)
    height, width = drawn.shape[:2]
    if width > WIDTH:
        drawn = cv2.resize(drawn, (WIDTH, max(1, round(height * WIDTH / width))), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
