# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Matches an image's detections with its objects: COCO's rule at ten overlaps and four ranges of size, and that of mAP^r.

The result is small and sufficient for every measure of ``metrics.average_precision``: images that were matched separately, on
different machines for instance, are joined without loss.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pycocotools import mask as coco_mask

MAX_DETECTIONS = 100  # of a class in an image, highest scores first
OVERLAPS = np.linspace(0.5, 0.95, 10)
AREAS = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}  # pixels of the mask
VOC_OVERLAPS = (0.5, 0.7)


@dataclass(frozen=True, eq=False)
class Matches:
    """The detections of an image, matched with the objects annotated in it.

    Codes are bits: bit t says whether the detection matches an object at ``OVERLAPS[t]``, bit 10 + t whether it is ignored
    there. Codes of mAP^r: bit t for a match at ``VOC_OVERLAPS[t]``, bit 2 + t for ignored.

    Attributes:
        objects: [G, 2] int64, label and crowd flag of each object.
        areas: [G] float64, pixels of each object.
        object_scores: [G] float64, score of the detection that matches the object at an overlap of 0.5; 0 without one.
        labels: [N] int64, labels of the detections; at most ``MAX_DETECTIONS`` per class, highest scores first in each class.
        scores: [N] float64, 0 to 1.
        masks: [N, 4] int64, codes of the masks in each of ``AREAS``.
        boxes: [N] int64, codes of the boxes in all sizes.
        voc: [N] int64, codes of the masks by the rule of mAP^r.
    """

    objects: np.ndarray
    areas: np.ndarray
    object_scores: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    masks: np.ndarray
    boxes: np.ndarray
    voc: np.ndarray


def match_image(annotations: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]]) -> Matches:
    """Matches the detections of one image with its annotations.

    Args:
        annotations: COCO annotations: ``category_id`` (label), ``segmentation`` (compressed run lengths), ``bbox``, ``area``
            and ``iscrowd``.
        results: COCO results: ``category_id`` (label), ``segmentation``, ``bbox`` and ``score``.
    """
    areas = np.array([annotation["area"] for annotation in annotations], np.float64)
    crowds = np.array([annotation.get("iscrowd", 0) for annotation in annotations], bool)
    labels = np.array([annotation["category_id"] for annotation in annotations], np.int64)
    ignored, object_scores = ignored_by_area(areas, crowds), np.zeros(len(areas))
    rows: list[tuple] = []
    for label, best in best_by_label(results):
        indices = np.flatnonzero(labels == label)
        objects, crowd = [annotations[index] for index in indices], crowds[indices]
        scores = [result["score"] for result in best]
        overlaps = _overlaps([r["segmentation"] for r in best], [a["segmentation"] for a in objects], crowd)
        outside = _outside(coco_mask.area([result["segmentation"] for result in best]))
        by_area = [_codes(overlaps, crowd, ignored[indices, area], outside[:, area]) for area in range(len(AREAS))]
        for index, row in by_area[0][1].items():
            object_scores[indices[index]] = scores[row]
        box_overlaps = _overlaps([r["bbox"] for r in best], [a["bbox"] for a in objects], crowd)
        boxes, _ = _codes(box_overlaps, crowd, crowd, np.zeros(len(best), bool))
        columns = [scores, *(codes for codes, _ in by_area), boxes, _voc_codes(overlaps, crowd)]
        rows += [(label, *row) for row in zip(*columns, strict=True)]
    table = np.array(rows, np.float64).reshape(-1, 2 + len(AREAS) + 2)
    codes = table[:, 2:].astype(np.int64)
    return Matches(
        np.column_stack([labels, crowds]).astype(np.int64), areas, object_scores, table[:, 0].astype(np.int64), table[:, 1],
        codes[:, :-2], codes[:, -2], codes[:, -1],
    )  # fmt: skip


def best_by_label(results: Sequence[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yields each label, ascending, with the results that are matched, highest scores first: the order in ``Matches``."""
    by_label: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        by_label[result["category_id"]].append(result)
    for label, entries in sorted(by_label.items()):
        yield label, sorted(entries, key=lambda result: -result["score"])[:MAX_DETECTIONS]


def ignored_by_area(areas: np.ndarray, crowds: np.ndarray) -> np.ndarray:
    """Returns [G, 4] bool, whether each object is ignored in each of ``AREAS``: of another size, or a crowd region."""
    return _outside(areas) | np.asarray(crowds, bool)[:, None]


def _outside(areas: ArrayLike) -> np.ndarray:
    """[N, 4] bool, whether each area lies outside each of ``AREAS``."""
    column = np.asarray(areas, np.float64).reshape(-1, 1)
    limits = np.array(list(AREAS.values()), np.float64)
    return (column < limits[:, 0]) | (column > limits[:, 1])


def _overlaps(detections: list, objects: list, crowd: np.ndarray) -> np.ndarray:
    """[N, G] intersection over union; over the detection's area for a crowd region."""
    if not detections or not objects:
        return np.zeros((len(detections), len(objects)))
    return np.asarray(coco_mask.iou(detections, objects, crowd.astype(np.uint8).tolist()), np.float64)


def _codes(
    overlaps: np.ndarray, crowd: np.ndarray, ignored: np.ndarray, outside: np.ndarray
) -> tuple[list[int], dict[int, int]]:
    """COCO's rule: detections, highest scores first, match the object with the largest overlap that is not matched yet.

    Args:
        overlaps: [N, G].
        crowd: [G] bool, regions that any number of detections may match.
        ignored: [G] bool, objects that are ignored as is a detection that matches them; matched only if no other object fits.
        outside: [N] bool, detections that are ignored unless they match.

    Returns:
        Codes of the detections, and {index of an object: index of the detection that matches it at the first overlap}.
    """
    codes = [int(size) * (2 ** len(OVERLAPS) - 1) << len(OVERLAPS) for size in outside]
    order = np.argsort(ignored, kind="stable")
    taken: list[dict[int, int]] = [{} for _ in OVERLAPS]
    for row in np.flatnonzero(overlaps.max(1, initial=0) >= OVERLAPS[0]).tolist():
        candidates = [(int(g), float(overlaps[row, g])) for g in order if overlaps[row, g] >= OVERLAPS[0]]
        code = 0
        for bit, least in enumerate(OVERLAPS.tolist()):
            best = None
            for g, overlap in candidates:
                if g in taken[bit] and not crowd[g]:
                    continue
                if best is not None and not ignored[best] and ignored[g]:
                    break
                if overlap >= least:
                    best, least = g, overlap
            if best is not None:
                taken[bit].setdefault(best, row)
                code |= 1 << bit | int(ignored[best]) << len(OVERLAPS) + bit
            elif outside[row]:
                code |= 1 << len(OVERLAPS) + bit
        codes[row] = code
    return codes, taken[0]


def _voc_codes(overlaps: np.ndarray, crowd: np.ndarray) -> list[int]:
    """The rule of mAP^r: a detection, highest scores first, matches the object with its largest overlap if that is still free.

    Args:
        overlaps: [N, G].
        crowd: [G] bool; detections without a match inside such a region are ignored.
    """
    codes = [0] * len(overlaps)
    for bit, least in enumerate(VOC_OVERLAPS):
        taken = set()
        for row, shares in enumerate(overlaps if overlaps.size else ()):
            objects = np.where(crowd, -1.0, shares)
            best = int(objects.argmax())
            if objects[best] >= least:
                codes[row] |= int(best not in taken) << bit
                taken.add(best)
            elif shares.max() >= least:
                codes[row] |= 1 << len(VOC_OVERLAPS) + bit
    return codes
