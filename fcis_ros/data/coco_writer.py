# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writes instance maps as COCO instance files, which all commands read."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros.data.instance_maps import InstanceMap, Region


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
