# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Cityscapes' fine annotations, https://www.cityscapes-dataset.com: gtFine_trainvaltest.zip, leftImg8bit_trainvaltest.zip."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fcis_ros.data.coco_writer import InstanceMap, Region, read_map, require_picture
from fcis_ros.errors import InputError

# The classes whose instances Cityscapes evaluates, by Cityscapes' label ids.
CATEGORIES = {
    24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle",
}  # fmt: skip
ENDING = "_gtFine_instanceIds.png"


def instance_maps(root: Path, split: str) -> tuple[int, Iterator[InstanceMap]]:
    """Reads one split.

    A pixel of ``instanceIds`` is 1000 times the label id plus the instance's number, or the label id alone where instances
    could not be told apart: such a group is a crowd region.

    Args:
        root: folder with ``gtFine/`` and ``leftImg8bit/``.
        split: train, val or test (whose published annotations are ignored regions only).

    Returns:
        Number of images, and their annotations in the order of city and name.

    Raises:
        InputError: no annotation exists, or a file is missing or unreadable.
    """
    folder = root / "gtFine" / split
    files = sorted(folder.glob(f"*/*{ENDING}"))
    if not files:
        raise InputError(f"{folder}: no CITY/*{ENDING} in this folder")
    return len(files), (_read(root, split, path) for path in files)


def _read(root: Path, split: str, path: Path) -> InstanceMap:
    values = read_map(path)
    if values.ndim != 2:
        raise InputError(f"{path}: not a map of instance numbers but a colour image")
    name = f"leftImg8bit/{split}/{path.parent.name}/{path.name.removesuffix(ENDING)}_leftImg8bit.png"
    regions = {}
    for value in np.unique(values).tolist():
        label = value if value < 1000 else value // 1000
        if label in CATEGORIES:
            regions[value] = Region(label, crowd=value < 1000)
    return InstanceMap(require_picture(root, name), values, regions)
