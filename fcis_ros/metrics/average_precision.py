# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Average precision of many images from their matches: pycocotools' numbers to the last digit, in whatever pieces they come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcis_ros.metrics.matching import AREAS, MAX_DETECTIONS, OVERLAPS, VOC_OVERLAPS, Matches, need_not

RECALLS = np.linspace(0, 1, 101)
SWEEP = np.round(np.concatenate([[0.02], np.arange(0.05, 1.0, 0.05)]), 2)  # thresholds of the score
_NO_NUMBER = np.zeros(0, np.int64)
NOTHING = Matches(
    _NO_NUMBER.reshape(0, 2), np.zeros(0), np.zeros(0), _NO_NUMBER, np.zeros(0), _NO_NUMBER.reshape(0, len(AREAS)), _NO_NUMBER,
    _NO_NUMBER,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Table:
    """The matches of many images, one below the other.

    Attributes:
        images: number of images.
        object_images: [G] int64, which image each object is in.
        image: [N] int64, which image each instance is in, ascending.
        ignored: [G, 4] bool, objects that need not be found in each of ``AREAS``.
        matches: all of them.
    """

    images: int
    object_images: np.ndarray
    image: np.ndarray
    ignored: np.ndarray
    matches: Matches

    @classmethod
    def of(cls, images: Sequence[Matches]) -> "Table":
        """Joins images; those of equal scores keep their order, so pycocotools' order of ids gives pycocotools' numbers."""
        names = tuple(Matches.__dataclass_fields__)
        joined = [np.concatenate([getattr(part, name) for part in (NOTHING, *images)]) for name in names]
        number, together = np.arange(len(images)), Matches(*joined)
        return cls(
            len(images),
            np.repeat(number, [len(part.areas) for part in images]),
            np.repeat(number, [len(part.labels) for part in images]),
            need_not(together.areas, together.objects[:, 1]),
            together,
        )


def measure(table: Table, class_names: Sequence[str]) -> dict[str, Any]:
    """Average precision.

    Returns:
        ``segm``: {AP, AP50, AP75, AP_small, AP_medium, AP_large}; ``bbox``: {AP, AP50, AP75}; ``per_class``: {name: AP50 of
        masks}; ``mAPr``: {"0.5", "0.7"}, the VOC measure of the paper. None stands where nothing of that kind is annotated.
    """
    classes = range(1, len(class_names) + 1)
    sizes = {name: curves(table, table.matches.masks[:, index], index, classes) for index, name in enumerate(AREAS)}
    boxes = curves(table, table.matches.boxes, 0, classes)
    masks = sizes.pop("all")
    return {
        "segm": {**_summary(masks), **{f"AP_{name}": mean(values) for name, values in sizes.items()}},
        "bbox": _summary(boxes),
        "per_class": {name: mean(masks[0, :, index]) for index, name in enumerate(class_names)},
        "mAPr": {str(overlap): voc_map(table, bit, classes) for bit, overlap in enumerate(VOC_OVERLAPS)},
    }


def _summary(precision: np.ndarray) -> dict[str, float | None]:
    return {"AP": mean(precision), "AP50": mean(precision[0]), "AP75": mean(precision[5])}


def mean(precision: np.ndarray) -> float | None:
    """Over what is known (not -1); None if nothing is."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None


def curves(table: Table, codes: np.ndarray, area: int, classes: Sequence[int], weights: np.ndarray | None = None) -> np.ndarray:
    """[10 overlaps, 101 recalls, C] precision; -1 for classes without objects.

    Args:
        table: the images.
        codes: [N] of ``Matches.masks`` or ``boxes``.
        area: which of ``AREAS`` the codes are of.
        classes: the C labels.
        weights: [images] how often each image counts; None: once.
    """
    found, there = table.matches, table.matches.objects
    precision = -np.ones((len(OVERLAPS), len(RECALLS), len(classes)))
    bits = np.arange(len(OVERLAPS))[:, None]
    for column, label in enumerate(classes):
        counted = (there[:, 0] == label) & ~table.ignored[:, area]
        total = _total(weights, table.object_images[counted])
        if total == 0:
            continue
        rows = np.flatnonzero(found.labels == label)
        rows = rows[np.argsort(-found.scores[rows], kind="stable")]
        own = codes[rows]
        hit, ignored = own >> bits & 1 == 1, own >> bits + len(OVERLAPS) & 1 == 1
        weight = 1.0 if weights is None else weights[table.image[rows]]
        right = np.cumsum((hit & ~ignored) * weight, 1, dtype=np.float64)
        wrong = np.cumsum((~hit & ~ignored) * weight, 1, dtype=np.float64)
        recall, share = right / total, right / (wrong + right + np.spacing(1))
        share = np.maximum.accumulate(share[:, ::-1], 1)[:, ::-1]
        for overlap in range(len(OVERLAPS)):
            places = np.searchsorted(recall[overlap], RECALLS)
            inside = places < len(rows)
            precision[overlap, :, column] = 0
            precision[overlap, inside, column] = share[overlap, places[inside]]
    return precision


def recall(table: Table, class_names: Sequence[str]) -> dict[str, float | None]:
    """COCO's average recall of masks: of at most 1, 10 and 100 instances of a class in an image, and of 100 by size.

    Returns:
        {AR1, AR10, AR100, AR_small, AR_medium, AR_large}; None where nothing of the kind is annotated.
    """
    found, there = table.matches, table.matches.objects
    order = np.lexsort((-found.scores, found.labels, table.image))  # stable
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(table.image[order]) != 0) | (np.diff(found.labels[order]) != 0)
    place = np.arange(len(order))
    rank = np.empty(len(order), np.int64)  # of each instance in its image and class
    rank[order] = place - np.maximum.accumulate(np.where(new, place, 0))
    bits = np.arange(len(OVERLAPS))[:, None]

    def of(area: int, most: int) -> float | None:
        shares = []
        for label in range(1, len(class_names) + 1):
            if total := int(((there[:, 0] == label) & ~table.ignored[:, area]).sum()):
                own = found.masks[(found.labels == label) & (rank < most), area]
                hits = (own >> bits & 1 == 1) & (own >> bits + len(OVERLAPS) & 1 == 0)
                shares.append(hits.sum(1) / total)
        return float(np.mean(shares)) if shares else None

    limits = {f"AR{most}": of(0, most) for most in (1, 10, MAX_DETECTIONS)}
    return {**limits, **{f"AR_{name}": of(area, MAX_DETECTIONS) for area, name in enumerate(AREAS) if area}}


def _total(weights: np.ndarray | None, images: np.ndarray) -> float:
    return len(images) if weights is None else float(weights[images].sum())


def voc_map(table: Table, bit: int, classes: Sequence[int], weights: np.ndarray | None = None) -> float | None:
    """mAP^r at ``VOC_OVERLAPS[bit]``: 11-point average precision of masks, mean over the classes that occur."""
    found, there = table.matches, table.matches.objects
    averages = []
    for label in classes:
        total = _total(weights, table.object_images[(there[:, 0] == label) & (there[:, 1] == 0)])
        if total == 0:
            continue
        rows = np.flatnonzero((found.labels == label) & (found.voc >> 2 + bit & 1 == 0))
        rows = rows[np.argsort(-found.scores[rows], kind="stable")]
        weight = np.ones(len(rows)) if weights is None else weights[table.image[rows]]
        averages.append(eleven_point_ap(found.voc[rows] >> bit & 1, total, weight))
    return float(np.mean(averages)) if averages else None


def eleven_point_ap(right: np.ndarray, total: float, weight: np.ndarray) -> float:
    """VOC 2007 average precision: mean over recalls 0, 0.1 .. 1 of the best precision at that recall or beyond.

    Args:
        right: [N] whether each instance is right, best score first.
        total: number of objects.
        weight: [N] how often each counts.
    """
    hits, seen = np.cumsum(right * weight), np.cumsum(weight)
    recall, precision = hits / total, hits / np.maximum(seen, 1e-12)
    return float(np.mean([precision[recall >= level - 1e-9].max(initial=0.0) for level in np.linspace(0, 1, 11)]))


def sweep(table: Table, class_names: Sequence[str]) -> dict[str, list[dict[str, float | None]]]:
    """What each threshold of the score gives, masks counting as right from an overlap of 0.5.

    Returns:
        {"all" and each class: one entry of ``rates`` with its ``score`` for each of ``SWEEP``}.
    """
    found, there = table.matches, table.matches.objects
    code = found.masks[:, 0]
    hit, counted = code & 1 == 1, code >> len(OVERLAPS) & 1 == 0
    lines: dict[str, list[dict[str, float | None]]] = {}
    for label, name in ((0, "all"), *enumerate(class_names, start=1)):
        own = counted if label == 0 else counted & (found.labels == label)
        total = int((~table.ignored[:, 0] & ((there[:, 0] == label) | (label == 0))).sum())
        lines[name] = []
        for score in SWEEP.tolist():
            kept = own & (found.scores >= score)
            right = int((kept & hit).sum())
            lines[name].append({"score": score, **rates(right, int(kept.sum()) - right, total - right)})
    return lines


def rates(right: int, wrong: int, missed: int) -> dict[str, float | None]:
    """Counts with precision, recall and F1; None where they mean nothing."""
    return {
        "right": right,
        "wrong": wrong,
        "missed": missed,
        "precision": right / (right + wrong) if right + wrong else None,
        "recall": right / (right + missed) if right + missed else None,
        "f1": 2 * right / (2 * right + wrong + missed) if right + wrong + missed else None,
    }
