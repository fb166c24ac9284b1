# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Converts instance maps of other data sets to COCO instance files, which all commands read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros.errors import InputError


@dataclass(frozen=True)
class Region:
    """The meaning of one value of an instance map: its class, and whether it is a crowd region instead of one object."""

    category_id: int
    crowd: bool = False


@dataclass(frozen=True, eq=False)
class InstanceMap:
    """The annotation of one image.

    Attributes:
        file_name: path of the image, relative to the data set's folder.
        values: [H, W] integers, one value per object.
        regions: {value: its meaning}; values that are not listed are background or void.
    """

    file_name: str
    values: np.ndarray
    regions: Mapping[int, Region]


def to_coco(maps: Iterable[InstanceMap], categories: Mapping[int, str]) -> dict[str, Any]:
    """Makes the content of a COCO instance file: images numbered from 1 in their order, objects in the order of their values.

    Args:
        maps: annotated images.
        categories: {category id: name}.

    Returns:
        Content of the file in JSON types.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(maps, start=1):
        height, width = image.values.shape
        images.append({"id": number, "file_name": image.file_name, "height": height, "width": width})
        present = set(np.unique(image.values).tolist())
        for value, region in sorted(image.regions.items()):
            if value in present:
                annotations.append({"id": len(annotations) + 1, "image_id": number, **_entry(image.values == value, region)})
    listed = [{"id": category_id, "name": name} for category_id, name in categories.items()]
    return {"images": images, "annotations": annotations, "categories": listed}


def _entry(mask: np.ndarray, region: Region) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {
        "category_id": region.category_id,
        "segmentation": {"size": [int(side) for side in mask.shape], "counts": encoded["counts"].decode("ascii")},
        "bbox": coco_mask.toBbox(encoded).tolist(),
        "area": int(mask.sum()),
        "iscrowd": int(region.crowd),
    }


def read_map(path: Path) -> np.ndarray:
    """Reads a PNG with unchanged values: [H, W], or [H, W, 3] RGB for a colour image; 8 or 16 bits.

    Raises:
        InputError: the file is missing or not an image.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if (values := cv2.imread(str(path), cv2.IMREAD_UNCHANGED)) is None:
        raise InputError(f"{path}: not a readable image")
    return values[:, :, 2::-1] if values.ndim == 3 else values


def read_split(path: Path) -> list[str]:
    """Reads the image names from a split's text file, one per line.

    Raises:
        InputError: the file is missing, unreadable or empty.
    """
    if not path.is_file():
        splits = ", ".join(sorted(file.stem for file in path.parent.glob("*.txt"))) or "none"
        raise InputError(f"{path}: no such split (available: {splits})")
    try:
        names = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: not a readable text file") from None
    if not names:
        raise InputError(f"{path}: no images are listed")
    return names


def require_picture(root: Path, file_name: str) -> str:
    """Returns ``file_name`` if the image exists.

    Raises:
        InputError: the image does not exist.
    """
    if not (root / file_name).is_file():
        raise InputError(f"{root / file_name}: no such image, although it is annotated")
    return file_name
