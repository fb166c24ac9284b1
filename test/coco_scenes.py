# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Annotations and results as they may come, for whatever measures them."""

import numpy as np
from pycocotools import mask as rle

from fcis_ros.metrics.matching import match_image

NAMES = ("car", "pedestrian", "bicyclist")
HEIGHT, WIDTH = 120, 160


def rectangle(rng, around=None):
    """A mask, not far from another one if that is given."""
    if around is None:
        x, y, w, h = rng.integers(0, 100), rng.integers(0, 70), rng.integers(3, 60), rng.integers(3, 50)
    else:
        x, y, w, h = np.maximum(around + rng.integers(-4, 5, 4), (0, 0, 2, 2))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[y : y + h, x : x + w] = 1
    if w > 12 and rng.random() < 0.3:
        mask[y + h // 3 : y + h // 2, x + w // 3 : x + w // 2] = 0
    encoded = rle.encode(np.asfortranarray(mask))
    return np.array([x, y, w, h]), {"size": encoded["size"], "counts": encoded["counts"].decode()}


def scene(seed, images, tie):
    """Annotations and results, some of them near misses, with crowds, all sizes and, with ``tie``, many equal scores."""
    rng = np.random.default_rng(seed)
    annotations, results = [], []
    for image in range(1, images + 1):
        boxes = []
        for _ in range(rng.integers(0, 6)):
            box, mask = rectangle(rng)
            boxes.append(box)
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": int(rng.integers(1, 4)), "segmentation": mask,
                 "bbox": rle.toBbox(mask).tolist(), "area": float(rle.area(mask)), "iscrowd": int(rng.random() < 0.15)}
            )  # fmt: skip
        for _ in range(rng.integers(0, 9)):
            near = boxes[rng.integers(len(boxes))] if boxes and rng.random() < 0.8 else None
            _, mask = rectangle(rng, near)
            score = float(rng.integers(1, 5) / 5) if tie else float(np.float32(rng.random()))
            results.append({"image_id": image, "category_id": int(rng.integers(1, 4)), "segmentation": mask,
                            "bbox": rle.toBbox(mask).tolist(), "score": score})  # fmt: skip
    return annotations, results


def matches_of(annotations, results, images):
    """The matches of the images with these ids."""
    parts = [[[entry for entry in part if entry["image_id"] == i] for part in (annotations, results)] for i in images]
    return [match_image(*part) for part in parts]
