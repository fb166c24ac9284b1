# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which of an image's instances are right: COCO's rule at ten overlaps and four ranges of size, and the rule of mAP^r.

What is kept of an image is small, and enough for every measure of ``evaluation.precision``: images that were matched apart, on
another machine for instance, are put together without a loss.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pycocotools import mask as rle

MAX_DETECTIONS = 100  # of a class in an image, best first
OVERLAPS = np.linspace(0.5, 0.95, 10)
AREAS = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}  # pixels of the mask
VOC_OVERLAPS = (0.5, 0.7)


@dataclass(frozen=True, eq=False)
class Matches:
    """The instances found in an image, as they compare with the objects annotated there.

    Codes are bits: bit t says whether the instance is an object at ``OVERLAPS[t]``, bit 10 + t whether it does not count there.
    Those of mAP^r: bit t, whether it is an object at ``VOC_OVERLAPS[t]``, bit 2 + t whether it does not count.

    Attributes:
        objects: [G, 2] int64: label and crowd of each object.
        areas: [G] float64, pixels of each object.
        found: [G] float64, score of the instance that is the object at an overlap of 0.5; 0 if none is.
        labels: [N] int64 of the instances, of which at most ``MAX_DETECTIONS`` of a class are kept; best first in each class.
        scores: [N] float64.
        masks: [N, 4] int64, codes of the masks in each of ``AREAS``.
        boxes: [N] int64, codes of the boxes in all sizes.
        voc: [N] int64, codes of the masks by the rule of mAP^r.
    """

    objects: np.ndarray
    areas: np.ndarray
    found: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    masks: np.ndarray
    boxes: np.ndarray
    voc: np.ndarray


def match_image(annotations: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]]) -> Matches:
    """Compares what was found in an image with what is there.

    Args:
        annotations: COCO annotations of one image: ``category_id`` (label), ``segmentation`` (compressed run lengths),
            ``bbox``, ``area`` and ``iscrowd``.
        results: COCO results of the image: ``category_id`` (label), ``segmentation``, ``bbox`` and ``score``.
    """
    areas = np.array([annotation["area"] for annotation in annotations], np.float64)
    crowds = np.array([annotation.get("iscrowd", 0) for annotation in annotations], bool)
    labels = np.array([annotation["category_id"] for annotation in annotations], np.int64)
    ignored, taken = need_not(areas, crowds), np.zeros(len(areas))
    rows: list[tuple] = []
    for label, best in compared(results):
        index = np.flatnonzero(labels == label)
        there = [annotations[i] for i in index]
        crowd = crowds[index]
        overlaps = _overlaps([r["segmentation"] for r in best], [a["segmentation"] for a in there], crowd)
        sizes = outside(rle.area([result["segmentation"] for result in best]))
        masks, takers = zip(
            *(_codes(overlaps, crowd, ignored[index, area], sizes[:, area]) for area in range(len(AREAS))), strict=True
        )
        for place, row in takers[0].items():
            taken[index[place]] = best[row]["score"]
        box_overlaps = _overlaps([r["bbox"] for r in best], [a["bbox"] for a in there], crowd)
        boxes, _ = _codes(box_overlaps, crowd, crowd, np.zeros(len(best), bool))
        columns = [[result["score"] for result in best], *masks, boxes, voc_codes(overlaps, crowd)]
        rows += [(label, *row) for row in zip(*columns, strict=True)]
    table = np.array(rows, np.float64).reshape(-1, 2 + len(AREAS) + 2)
    codes = table[:, 2:].astype(np.int64)
    objects = np.column_stack([labels, crowds]).astype(np.int64)
    return Matches(objects, areas, taken, table[:, 0].astype(np.int64), table[:, 1], codes[:, :-2], codes[:, -2], codes[:, -1])


def compared(results: Sequence[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Each label, in order, with the results that are compared, best first: the order of what ``Matches`` says of instances."""
    for label, own in sorted(by_label(results).items()):
        yield label, sorted(own, key=lambda result: -result["score"])[:MAX_DETECTIONS]


def need_not(areas: np.ndarray, crowds: np.ndarray) -> np.ndarray:
    """[G, 4] whether each object need not be found in each of ``AREAS``: of another size, or a crowd."""
    return outside(areas) | np.asarray(crowds, bool)[:, None]


def by_label(results: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """COCO entries by their category."""
    sorted_: dict[int, list[dict]] = defaultdict(list)
    for result in results:
        sorted_[result["category_id"]].append(result)
    return sorted_


def outside(areas: ArrayLike) -> np.ndarray:
    """[N, 4] whether each area lies outside each of ``AREAS``."""
    column = np.asarray(areas, np.float64).reshape(-1, 1)
    limits = np.array(list(AREAS.values()), np.float64)
    return (column < limits[:, 0]) | (column > limits[:, 1])


def _overlaps(found: list, there: list, crowd: np.ndarray) -> np.ndarray:
    """[N, G] intersection over union; over the instance's own area for a crowd."""
    if not found or not there:
        return np.zeros((len(found), len(there)))
    return np.asarray(rle.iou(found, there, crowd.astype(np.uint8).tolist()), np.float64)


def _codes(
    overlaps: np.ndarray, crowd: np.ndarray, ignored: np.ndarray, outside: np.ndarray
) -> tuple[list[int], dict[int, int]]:
    """COCO's rule: instances, best first, take the object that they overlap most of those that are free.

    Args:
        overlaps: [N, G].
        crowd: [G] regions that any number of instances may lie in.
        ignored: [G] objects that need not be found; whoever finds one does not count, and takes it only if there is no other.
        outside: [N] instances that do not count unless they are an object.

    Returns:
        Codes of the instances, and {object: the instance that took it at the first overlap}.
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


def voc_codes(overlaps: np.ndarray, crowd: np.ndarray) -> list[int]:
    """The rule of mAP^r: each instance, best first, is the object that it overlaps most, right if that is not taken yet.

    Args:
        overlaps: [N, G].
        crowd: [G]; instances that are no object and lie in such a region do not count.
    """
    codes = [0] * len(overlaps)
    for bit, least in enumerate(VOC_OVERLAPS):
        taken = set()
        for row, own in enumerate(overlaps if overlaps.size else ()):
            objects = np.where(crowd, -1.0, own)
            best = int(objects.argmax())
            if objects[best] >= least:
                codes[row] |= int(best not in taken) << bit
                taken.add(best)
            elif own.max() >= least:
                codes[row] |= 1 << len(VOC_OVERLAPS) + bit
    return codes
