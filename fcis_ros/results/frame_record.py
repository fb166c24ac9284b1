# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Record of a frame in frames.jsonl: which frame of which recording, and its detections matched with the ground truth."""

import itertools
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np

from fcis_ros.metrics.average_precision import Table
from fcis_ros.metrics.matching import AREAS, OVERLAPS, Matches, ignored_by_area
from fcis_ros.results.json_shapes import fits

FrameRecord = Mapping[str, Any]
COLUMNS = {"labels": [int], "scores": [float], "masks": [[int]], "boxes": [int], "voc": [int]}
SHAPE = {
    **dict.fromkeys(("bag", "index", "stamp", "log_time", "moment", "height", "width", "own_id", "image_id"), int),
    **dict.fromkeys(("listed", "tracked", "repeated"), bool),
    "name": str, "problem": (str, None), "truth": (int, None), "rates": [float], "objects": [[float]], **COLUMNS,
    "ends": {"detections": int, "unannotated": int, "annotations": int},
}  # fmt: skip


def is_frame_record(value: Any, bags: int, classes: int) -> bool:
    """Whether a JSON value is the record of a frame.

    Args:
        value: JSON value of a line.
        bags: number of recordings of the evaluation.
        classes: number of classes of the model.
    """
    if not fits(value, SHAPE) or not 0 <= value["bag"] < bags or len(value["rates"]) != len(fields(DetectionCounts)):
        return False
    # Evaluations of earlier versions have no count of other classes.
    other_classes = value.get("other_classes", {})
    if not fits(other_classes, {}) or not fits([*other_classes.values()], [int]):
        return False
    lengths = {*map(len, value["masks"])} <= {len(AREAS)} and {*map(len, value["objects"])} <= {4}
    labels = [*value["labels"], *(row[0] for row in value["objects"] if row)]
    known = 0 < min(labels, default=1) and max(labels, default=1) <= classes
    return lengths and known and len({len(value[name]) for name in COLUMNS}) == 1


@dataclass(frozen=True)
class DetectionCounts:
    """Counts of a frame for detections from a score threshold on; masks match from an overlap of 0.5.

    Attributes:
        score: score threshold.
        true_positives: number of detections that match an object.
        false_positives: number of detections that match none.
        false_negatives: number of objects without a detection.
        largest_missed: pixels of the largest object without a detection, 0 without one.
        detections: number of detections, ignored ones included.
    """

    score: float
    true_positives: int
    false_positives: int
    false_negatives: int
    largest_missed: float
    detections: int


def count_detections(record: FrameRecord, score: float) -> DetectionCounts:
    """Counts the detections of a frame from a score on; the record stores the counts for the threshold of the evaluation."""
    if "rates" in record and record["rates"][0] == score:
        return DetectionCounts(*record["rates"])
    true_positives = false_positives = 0
    for detection_score, (code, *_) in zip(record["scores"], record["masks"], strict=True):
        if detection_score >= score and not code >> len(OVERLAPS) & 1:
            true_positives, false_positives = true_positives + (code & 1), false_positives + 1 - (code & 1)
    missed = [area for _, crowd, area, matched_score in record["objects"] if not crowd and matched_score < score]
    detections = sum(detection_score >= score for detection_score in record["scores"])
    return DetectionCounts(score, true_positives, false_positives, len(missed), max(missed, default=0.0), detections)


def with_matches(record: dict[str, Any], matches: Matches, score: float) -> dict[str, Any]:
    """Returns a record with matches added.

    Args:
        record: the other fields.
        matches: matches of the frame's detections.
        score: score threshold of the stored counts.
    """
    objects = zip(matches.objects.tolist(), matches.areas.tolist(), matches.object_scores.tolist(), strict=True)
    columns = {
        "objects": [[*label_and_crowd, area, matched_score] for label_and_crowd, area, matched_score in objects],
        "labels": matches.labels.tolist(),
        "scores": matches.scores.tolist(),
        "masks": matches.masks.tolist(),
        "boxes": matches.boxes.tolist(),
        "voc": matches.voc.tolist(),
    }
    return {**record, "rates": list(astuple(count_detections(columns, score))), **columns}


def to_table(records: Iterable[FrameRecord]) -> Table:
    """Joins the matches of frames by ascending image id, as pycocotools does; the records are read once and not kept."""
    ids, objects_of, rows_of = array("q"), array("q"), array("q")
    objects, labels, scores, masks, boxes, voc = array("d"), array("q"), array("d"), array("q"), array("q"), array("q")
    for record in records:
        ids.append(record["image_id"])
        objects_of.append(len(record["objects"]))
        rows_of.append(len(record["labels"]))
        objects.extend(itertools.chain.from_iterable(record["objects"]))
        masks.extend(itertools.chain.from_iterable(record["masks"]))
        for column, name in ((labels, "labels"), (scores, "scores"), (boxes, "boxes"), (voc, "voc")):
            column.extend(record[name])
    rank = np.argsort(np.argsort(np.asarray(ids), kind="stable"), kind="stable")
    object_images, row_images = np.repeat(rank, objects_of), np.repeat(rank, rows_of)
    object_order, row_order = np.argsort(object_images, kind="stable"), np.argsort(row_images, kind="stable")
    object_rows = np.asarray(objects, np.float64).reshape(-1, 4)[object_order]
    matches = Matches(
        object_rows[:, :2].astype(np.int64),
        object_rows[:, 2],
        object_rows[:, 3],
        np.asarray(labels, np.int64)[row_order],
        np.asarray(scores, np.float64)[row_order],
        np.asarray(masks, np.int64).reshape(-1, len(AREAS))[row_order],
        np.asarray(boxes, np.int64)[row_order],
        np.asarray(voc, np.int64)[row_order],
    )
    ignored = ignored_by_area(matches.areas, matches.objects[:, 1])
    return Table(len(ids), object_images[object_order], row_images[row_order], ignored, matches)
