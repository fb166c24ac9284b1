# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Average precision and recall over many images from their matches, equal to pycocotools' values to the last digit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcis_ros.metrics.matching import AREAS, MAX_DETECTIONS, OVERLAPS, VOC_OVERLAPS, Matches, ignored_by_area

RECALLS = np.linspace(0, 1, 101)
SWEEP = np.round(np.concatenate([[0.02], np.arange(0.05, 1.0, 0.05)]), 2)  # score thresholds
_NO_INTEGERS = np.zeros(0, np.int64)
NO_MATCHES = Matches(
    _NO_INTEGERS.reshape(0, 2), np.zeros(0), np.zeros(0), _NO_INTEGERS, np.zeros(0), _NO_INTEGERS.reshape(0, len(AREAS)),
    _NO_INTEGERS, _NO_INTEGERS,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Table:
    """The matches of many images, concatenated.

    Attributes:
        images: number of images.
        object_images: [G] int64, index of the image of each object.
        image: [N] int64, index of the image of each detection, ascending.
        ignored: [G, 4] bool, objects that are ignored in each of ``AREAS``.
        matches: concatenated matches: G objects, N detections.
    """

    images: int
    object_images: np.ndarray
    image: np.ndarray
    ignored: np.ndarray
    matches: Matches

    @classmethod
    def of(cls, images: Sequence[Matches]) -> "Table":
        """Concatenates images; detections of equal scores keep their order, so pycocotools' order gives pycocotools' values."""
        names = tuple(Matches.__dataclass_fields__)
        joined = Matches(*(np.concatenate([getattr(part, name) for part in (NO_MATCHES, *images)]) for name in names))
        index = np.arange(len(images))
        return cls(
            len(images),
            np.repeat(index, [len(part.areas) for part in images]),
            np.repeat(index, [len(part.labels) for part in images]),
            ignored_by_area(joined.areas, joined.objects[:, 1]),
            joined,
        )


def measure(table: Table, class_names: Sequence[str]) -> dict[str, Any]:
    """Computes average precision.

    Returns:
        ``segm``: {AP, AP50, AP75, AP_small, AP_medium, AP_large}; ``bbox``: {AP, AP50, AP75}; ``per_class``: {name: AP50 of
        masks}; ``mAPr``: {"0.5", "0.7"}, the VOC measure of the paper. All 0 to 1; None where nothing of the kind is annotated.
    """
    classes = range(1, len(class_names) + 1)
    sizes = {name: curves(table, table.matches.masks[:, index], index, classes) for index, name in enumerate(AREAS)}
    masks, boxes = sizes.pop("all"), curves(table, table.matches.boxes, 0, classes)
    return {
        "segm": {**summary(masks), **{f"AP_{name}": mean(values) for name, values in sizes.items()}},
        "bbox": summary(boxes),
        "per_class": {name: mean(masks[0, :, index]) for index, name in enumerate(class_names)},
        "mAPr": {str(overlap): voc_map(table, bit, classes) for bit, overlap in enumerate(VOC_OVERLAPS)},
    }


def summary(precision: np.ndarray) -> dict[str, float | None]:
    """Returns AP, AP50 and AP75 of the ``curves`` of some classes."""
    return {"AP": mean(precision), "AP50": mean(precision[0]), "AP75": mean(precision[5])}


def mean(precision: np.ndarray) -> float | None:
    """Returns the mean of the known values (not -1); None if none is known."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None


def curves(table: Table, codes: np.ndarray, area: int, classes: Sequence[int], weights: np.ndarray | None = None) -> np.ndarray:
    """Computes precision at each recall as [10 overlaps, 101 recalls, C]; -1 for classes without objects.

    Args:
        table: G objects and N detections.
        codes: [N] int64, codes of ``Matches.masks`` (one column) or ``Matches.boxes``.
        area: index in ``AREAS`` that the codes are for.
        classes: C labels.
        weights: [images] int64, number of times that each image counts; None for once.
    """
    matches, object_labels = table.matches, table.matches.objects[:, 0]
    weights = np.ones(table.images, np.int64) if weights is None else weights
    precision = -np.ones((len(OVERLAPS), len(RECALLS), len(classes)))
    matched, ignored = _unpacked(codes)
    for column, label in enumerate(classes):
        total = weights[table.object_images[(object_labels == label) & ~table.ignored[:, area]]].sum()
        if total == 0:
            continue
        rows = _by_score(matches, matches.labels == label)
        weight = weights[table.image[rows]]
        hit, out = matched[:, rows], ignored[:, rows]
        true_positives = np.cumsum((hit & ~out) * weight, 1, dtype=np.float64)
        false_positives = np.cumsum((~hit & ~out) * weight, 1, dtype=np.float64)
        recall, share = true_positives / total, true_positives / (false_positives + true_positives + np.spacing(1))
        share = np.maximum.accumulate(share[:, ::-1], 1)[:, ::-1]
        for overlap in range(len(OVERLAPS)):
            indices = np.searchsorted(recall[overlap], RECALLS)
            reached = indices < len(rows)
            precision[overlap, :, column] = 0
            precision[overlap, reached, column] = share[overlap, indices[reached]]
    return precision


def _unpacked(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[10, N] bool each: whether a detection is matched, and whether it is ignored, at each of ``OVERLAPS``."""
    bits = np.arange(len(OVERLAPS))[:, None]
    return codes >> bits & 1 == 1, codes >> bits + len(OVERLAPS) & 1 == 1


def _by_score(matches: Matches, selected: np.ndarray) -> np.ndarray:
    """Indices of the selected detections, highest scores first."""
    rows = np.flatnonzero(selected)
    return rows[np.argsort(-matches.scores[rows], kind="stable")]


def recall(table: Table, class_names: Sequence[str]) -> dict[str, float | None]:
    """Computes COCO's average recall of masks, with at most 1, 10 and 100 detections of a class per image, and by size.

    Returns:
        {AR1, AR10, AR100, AR_small, AR_medium, AR_large}, 0 to 1; None where nothing of the kind is annotated.
    """
    matches, object_labels = table.matches, table.matches.objects[:, 0]
    index = np.arange(len(matches.labels))
    first = np.ones(len(index), bool)  # of the detections of a class in an image, which follow each other by score
    first[1:] = (np.diff(table.image) != 0) | (np.diff(matches.labels) != 0)
    rank = index - np.maximum.accumulate(np.where(first, index, 0))

    def average(area: int, limit: int) -> float | None:
        shares = []
        for label in range(1, len(class_names) + 1):
            if total := int(((object_labels == label) & ~table.ignored[:, area]).sum()):
                matched, ignored = _unpacked(matches.masks[(matches.labels == label) & (rank < limit), area])
                shares.append((matched & ~ignored).sum(1) / total)
        return float(np.mean(shares)) if shares else None

    limits = {f"AR{limit}": average(0, limit) for limit in (1, 10, MAX_DETECTIONS)}
    return {**limits, **{f"AR_{name}": average(area, MAX_DETECTIONS) for area, name in enumerate(AREAS) if area}}


def voc_map(table: Table, bit: int, classes: Sequence[int], weights: np.ndarray | None = None) -> float | None:
    """Computes mAP^r at ``VOC_OVERLAPS[bit]``: 11-point average precision of masks, mean over the annotated classes."""
    matches, objects = table.matches, table.matches.objects
    weights = np.ones(table.images, np.int64) if weights is None else weights
    averages = []
    for label in classes:
        total = weights[table.object_images[(objects[:, 0] == label) & (objects[:, 1] == 0)]].sum()
        if total == 0:
            continue
        rows = _by_score(matches, (matches.labels == label) & (matches.voc >> 2 + bit & 1 == 0))
        averages.append(eleven_point_ap(matches.voc[rows] >> bit & 1, total, weights[table.image[rows]]))
    return float(np.mean(averages)) if averages else None


def eleven_point_ap(matched: np.ndarray, total: float, weight: np.ndarray) -> float:
    """Computes VOC 2007 average precision: mean over recalls 0, 0.1 .. 1 of the best precision at that recall or above.

    Args:
        matched: [N] 0 or 1, whether each detection is a true positive, highest score first.
        total: number of objects.
        weight: [N] number of times that each detection counts.
    """
    true_positives, counted = np.cumsum(matched * weight), np.cumsum(weight)
    recall, precision = true_positives / total, true_positives / np.maximum(counted, 1e-12)
    return float(np.mean([precision[recall >= level - 1e-9].max(initial=0.0) for level in np.linspace(0, 1, 11)]))


def sweep(table: Table, class_names: Sequence[str]) -> dict[str, list[dict[str, float | None]]]:
    """Counts true and false positives and false negatives for each score threshold, at a mask overlap of 0.5.

    Returns:
        {"all" and each class: one entry of ``rates`` with its ``score`` for each of ``SWEEP``}.
    """
    matches, object_labels = table.matches, table.matches.objects[:, 0]
    code = matches.masks[:, 0]
    matched, counted = code & 1 == 1, code >> len(OVERLAPS) & 1 == 0
    entries: dict[str, list[dict[str, float | None]]] = {}
    for label, name in ((0, "all"), *enumerate(class_names, start=1)):
        of_class = counted if label == 0 else counted & (matches.labels == label)
        total = int((~table.ignored[:, 0] & ((object_labels == label) | (label == 0))).sum())
        entries[name] = []
        for score in SWEEP.tolist():
            kept = of_class & (matches.scores >= score)
            hits = int((kept & matched).sum())
            entries[name].append({"score": score, **rates(hits, int(kept.sum()) - hits, total - hits)})
    return entries


def rates(true_positives: int, false_positives: int, false_negatives: int) -> dict[str, float | None]:
    """Returns the counts, under the keys of report.json, with precision, recall and F1; None where these are undefined."""
    detections, objects = true_positives + false_positives, true_positives + false_negatives
    return {
        "right": true_positives,
        "wrong": false_positives,
        "missed": false_negatives,
        "precision": true_positives / detections if detections else None,
        "recall": true_positives / objects if objects else None,
        "f1": 2 * true_positives / (detections + objects) if detections + objects else None,
    }
