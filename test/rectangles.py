# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Rectangles as samples and as instances: cases that can be checked by hand."""

import numpy as np

from fcis_ros.structures import Instances, Sample

NAMES = ("car", "pedestrian")


def rectangle(x1, y1, x2, y2, height=60, width=80):
    mask = np.zeros((height, width), dtype=bool)
    mask[y1:y2, x1:x2] = True
    return mask


def sample(*objects, name="a.png"):
    """Each object is (label, (x1, y1, x2, y2), crowd)."""
    return Sample(
        image=np.zeros((60, 80, 3), dtype=np.uint8),
        masks=np.array([rectangle(*box) for _, box, _ in objects]).reshape(len(objects), 60, 80).astype(bool),
        labels=np.array([label for label, _, _ in objects], dtype=np.int64),
        crowd=np.array([crowd for _, _, crowd in objects], dtype=bool),
        name=name,
    )


def instances(*found):
    """Each is (label, (x1, y1, x2, y2), score), best first."""
    return Instances(
        height=60,
        width=80,
        boxes=np.array([box for _, box, _ in found], dtype=np.int32).reshape(-1, 4),
        scores=np.array([score for _, _, score in found], dtype=np.float32),
        labels=np.array([label for label, _, _ in found], dtype=np.int64),
        runs=tuple(np.array([0, (y2 - y1) * (x2 - x1)], dtype=np.uint32) for _, (x1, y1, x2, y2), _ in found),
        class_names=NAMES,
    )


CAR, OTHER, WALKER = (0, 0, 20, 20), (40, 0, 60, 20), (0, 30, 10, 50)
