# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The content of a small COCO instance file, and a writer."""

import json
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros import rle

HEIGHT, WIDTH = 24, 32


def square() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[4:10, 8:20] = True
    return mask


def content() -> dict:
    size, polygon = [HEIGHT, WIDTH], [8, 4, 20, 4, 20, 10, 8, 10]
    compressed = coco_mask.encode(np.asfortranarray(square(), np.uint8))["counts"].decode()
    dog, car = {"image_id": 7, "category_id": 9}, {"image_id": 7, "category_id": 2}
    return {
        "images": [
            {"id": 7, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
            {"id": 3, "file_name": "more/b.png", "height": HEIGHT, "width": WIDTH},
        ],
        "categories": [{"id": 9, "name": "dog"}, {"id": 2, "name": "car"}],
        "annotations": [
            {"id": 1, **dog, "segmentation": [polygon], "iscrowd": 0},
            {"id": 2, **car, "segmentation": {"size": size, "counts": rle.encode(square()).tolist()}, "iscrowd": 1},
            {"id": 3, **car, "segmentation": {"size": size, "counts": compressed}},
        ],
    }


def written(path: Path, changed: dict) -> Path:
    """Writes the content to a file."""
    path.write_text(json.dumps(changed), encoding="utf-8")
    return path
