# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Cityscapes' fine annotations, https://www.cityscapes-dataset.com: gtFine_trainvaltest.zip, leftImg8bit_trainvaltest.zip."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fcis_ros.data.coco_writer import InstanceMap, Region, read_map, require_picture
from fcis_ros.errors import InputError

# The classes whose instances Cityscapes evaluates, by its own label ids.
CATEGORIES = {
    24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle",
}  # fmt: skip
ENDING = "_gtFine_instanceIds.png"


def instance_maps(root: Path, split: str) -> tuple[int, Iterator[InstanceMap]]:
    """The images of one split, by city and name, and how many they are.

    A pixel of ``instanceIds`` is 1000 times the label id plus the instance's number, or the label id alone where instances
    could not be told apart: such a group is ``iscrowd``, which evaluation and training ignore.

    Args:
        root: the folder with ``gtFine/`` and ``leftImg8bit/``.
        split: train, val or test (of which only ``ignore`` regions are published).

    Raises:
        InputError: there are no such files, or one is unreadable.
    """
    folder = root / "gtFine" / split
    files = sorted(folder.glob(f"*/*{ENDING}"))
    if not files:
        raise InputError(f"{folder}: there is no CITY/*{ENDING} in it")
    return len(files), (_read(root, split, path) for path in files)


def _read(root: Path, split: str, path: Path) -> InstanceMap:
    values = read_map(path)
    if values.ndim != 2:
        raise InputError(f"{path}: not a map of instance numbers, it has colours")
    name = f"leftImg8bit/{split}/{path.parent.name}/{path.name.removesuffix(ENDING)}_leftImg8bit.png"
    regions = {}
    for value in np.unique(values).tolist():
        label = value if value < 1000 else value // 1000
        if label in CATEGORIES:
            regions[value] = Region(label, crowd=value < 1000)
    return InstanceMap(require_picture(root, name), values, regions)
