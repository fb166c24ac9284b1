# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a report: an image with its instances, and red outlines around missed objects."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros import overlay
from fcis_ros.structures import Instances

WIDTH = 640  # pixels; wider pictures are scaled down
MISSED = (214, 39, 40)


def picture(image: np.ndarray, instances: Instances, missed: Sequence[dict[str, Any]]) -> bytes:
    """Draws a picture; returns a JPEG.

    Args:
        image: [H, W, 3] uint8, RGB.
        instances: instances to draw.
        missed: false negatives as COCO annotations with compressed run lengths.
    """
    drawn = np.ascontiguousarray(overlay.draw(image, instances))
    thickness = max(2, round(min(drawn.shape[:2]) / 200))
    for entry in missed:
        outlines, _ = cv2.findContours(coco_mask.decode(entry["segmentation"]), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, outlines, -1, MISSED, thickness)
    height, width = drawn.shape[:2]
    if width > WIDTH:
        drawn = cv2.resize(drawn, (WIDTH, max(1, round(height * WIDTH / width))), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
