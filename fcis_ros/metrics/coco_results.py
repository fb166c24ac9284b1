# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Instances and samples as entries of COCO files."""

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros.column_runs import ColumnRuns
from fcis_ros.structures import Instances, Sample


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """Encodes a [H, W] bool mask as COCO's compressed run lengths with ``counts`` as text, ready for JSON."""
    return with_text(coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8)))


def with_text(encoded: dict[str, Any]) -> dict[str, Any]:
    """Makes compressed run lengths from pycocotools ready for JSON."""
    counts = encoded["counts"]
    text = counts if isinstance(counts, str) else counts.decode("ascii")
    return {"size": [int(side) for side in encoded["size"]], "counts": text}


def to_results(instances: Instances, image_id: int, category_ids: Iterable[int | None] | None = None) -> list[dict[str, Any]]:
    """Returns instances as entries of a COCO results file.

    Args:
        instances: instances of one image.
        image_id: id of the image in the annotation file.
        category_ids: category id of each class, None for a class to leave out; by default the classes are numbered 1..C.
    """
    categories = list(category_ids or range(1, len(instances.class_names) + 1))
    rows = zip(
        instances.boxes.tolist(), instances.scores.tolist(), instances.labels.tolist(), segmentations(instances), strict=True
    )
    return [
        {
            "image_id": image_id,
            "category_id": categories[label - 1],
            "segmentation": segmentation,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": score,
        }
        for (x1, y1, x2, y2), score, label, segmentation in rows
        if categories[label - 1] is not None
    ]


def segmentations(instances: Instances) -> list[dict[str, Any]]:
    """Returns the masks as ``encode_mask`` gives them, converted from run lengths to run lengths without decoding pixels."""
    strips = ColumnRuns.from_runs(instances.runs, instances.boxes)
    height, width = instances.height, instances.width
    column, rows = strips.runs.astype(np.int64)[:, :1], strips.runs[:, 1:]
    first, last = (column * height + rows).T
    encoded = []
    for begin, end in itertools.pairwise(strips.starts.tolist()):
        apart = first[begin + 1 : end] != last[begin : end - 1]  # else the run continues at the top of the next column
        starts, ends = first[begin:end][np.append(True, apart)], last[begin:end][np.append(apart, True)]
        edges = np.concatenate([[0], np.stack([starts, ends], 1).ravel(), [height * width]])
        counts = np.diff(edges).tolist()
        size = [height, width]
        runs = coco_mask.frPyObjects({"size": size, "counts": counts if counts[-1] else counts[:-1]}, height, width)
        encoded.append({"size": size, "counts": runs["counts"].decode("ascii")})
    return encoded


def to_annotations(sample: Sample, image_id: int, first_id: int) -> list[dict[str, Any]]:
    """Returns a sample's objects as COCO annotations, numbered from ``first_id``; category ids are the labels."""
    rows = zip(sample.masks, sample.labels.tolist(), sample.crowd, strict=True)
    return [
        {
            "id": id_,
            "image_id": image_id,
            "category_id": label,
            "segmentation": (segmentation := encode_mask(mask)),
            "bbox": coco_mask.toBbox(segmentation).tolist(),
            "area": int(mask.sum()),
            "iscrowd": int(crowd),
        }
        for id_, (mask, label, crowd) in enumerate(rows, start=first_id)
    ]
