# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Small data sets of instance maps, and their conversion."""

from pathlib import Path

import cv2
import numpy as np

from fcis_ros.cli.main import main
from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.data.voc_maps import voc_palette

PICTURE = np.zeros((4, 6, 3), np.uint8)


def put(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def put_palette(path: Path, values: np.ndarray) -> None:
    """VOC's maps are PNGs with a palette; OpenCV reads one as the same colours as a PNG of colours."""
    put(path, np.ascontiguousarray(voc_palette()[values][:, :, ::-1]))


def converted(dataset: str, root: Path, split: str = "val", status: int = 0) -> CocoDataset:
    out = root.parent / "out.json"
    assert main(["convert", dataset, str(root), str(out), "--split", split]) == status
    return CocoDataset(out, root)
