# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A line of frames.jsonl: a frame of a recording, and how what was found in it compares with what is there."""

import itertools
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np

from fcis_ros.metrics.average_precision import Table
from fcis_ros.metrics.matching import AREAS, OVERLAPS, Matches, need_not
from fcis_ros.results.json_shapes import fits

FrameRecord = Mapping[str, Any]
COLUMNS = {"labels": [int], "scores": [float], "masks": [[int]], "boxes": [int], "voc": [int]}
SHAPE = {
    **dict.fromkeys(("bag", "index", "stamp", "log_time", "moment", "height", "width", "own_id", "image_id"), int),
    **dict.fromkeys(("listed", "tracked", "repeated"), bool),
    "name": str, "problem": (str, None), "truth": (int, None), "rates": [float], "objects": [[float]], **COLUMNS,
    "ends": {"detections": int, "unannotated": int, "annotations": int},
}  # fmt: skip


def is_frame(value: Any, bags: int, classes: int) -> bool:
    """Whether a line is that of a frame.

    Args:
        value: what JSON gave.
        bags: number of recordings of the evaluation.
        classes: number of its classes.
    """
    if not fits(value, SHAPE) or not 0 <= value["bag"] < bags or len(value["rates"]) != len(fields(DetectionCounts)):
        return False
    rows = {*map(len, value["masks"])} <= {len(AREAS)} and {*map(len, value["objects"])} <= {4}
    labels = [*value["labels"], *(own[0] for own in value["objects"] if own)]
    known = 0 < min(labels, default=1) and max(labels, default=1) <= classes
    return rows and known and len({len(value[name]) for name in COLUMNS}) == 1


def columns(matches: Matches) -> dict[str, Any]:
    """The matches of one image, for JSON: objects as [label, crowd, area, score at which it is found], instances by columns."""
    objects = zip(matches.objects.tolist(), matches.areas.tolist(), matches.found.tolist(), strict=True)
    return {
        "objects": [[*own, area, found] for own, area, found in objects],
        "labels": matches.labels.tolist(),
        "scores": matches.scores.tolist(),
        "masks": matches.masks.tolist(),
        "boxes": matches.boxes.tolist(),
        "voc": matches.voc.tolist(),
    }


def table(frames: Iterable[FrameRecord]) -> Table:
    """The matches of frames, by ascending image id, as pycocotools takes them; the frames are read once and not kept."""
    ids, objects_of, rows_of = array("q"), array("q"), array("q")
    objects, labels, scores, masks, boxes, voc = array("d"), array("q"), array("d"), array("q"), array("q"), array("q")
    for frame in frames:
        ids.append(frame["image_id"])
        objects_of.append(len(frame["objects"]))
        rows_of.append(len(frame["labels"]))
        objects.extend(itertools.chain.from_iterable(frame["objects"]))
        masks.extend(itertools.chain.from_iterable(frame["masks"]))
        for column, name in ((labels, "labels"), (scores, "scores"), (boxes, "boxes"), (voc, "voc")):
            column.extend(frame[name])
    rank = np.argsort(np.argsort(np.asarray(ids), kind="stable"), kind="stable")
    object_images, image = np.repeat(rank, objects_of), np.repeat(rank, rows_of)
    first, second = np.argsort(object_images, kind="stable"), np.argsort(image, kind="stable")
    there = np.asarray(objects, np.float64).reshape(-1, 4)[first]
    matches = Matches(
        there[:, :2].astype(np.int64),
        there[:, 2],
        there[:, 3],
        np.asarray(labels, np.int64)[second],
        np.asarray(scores, np.float64)[second],
        np.asarray(masks, np.int64).reshape(-1, len(AREAS))[second],
        np.asarray(boxes, np.int64)[second],
        np.asarray(voc, np.int64)[second],
    )
    return Table(len(ids), object_images[first], image[second], need_not(matches.areas, matches.objects[:, 1]), matches)


@dataclass(frozen=True)
class DetectionCounts:
    """How a frame fares with instances from a score on; a mask is right from an overlap of 0.5.

    Attributes:
        score: the threshold.
        right: instances that are an object.
        wrong: those that are none.
        missed: objects that were not found.
        largest: pixels of the largest missed object, 0 without one.
        found: instances in all.
    """

    score: float
    right: int
    wrong: int
    missed: int
    largest: float
    found: int


def rates(frame: FrameRecord, score: float) -> DetectionCounts:
    """Of a frame's line, which has those of the evaluation's own threshold at hand; others are counted from its columns."""
    if "rates" in frame and frame["rates"][0] == score:
        return DetectionCounts(*frame["rates"])
    right = wrong = 0
    for own, (code, *_) in zip(frame["scores"], frame["masks"], strict=True):
        if own >= score and not code >> len(OVERLAPS) & 1:
            right, wrong = right + (code & 1), wrong + 1 - (code & 1)
    missed = [area for _, crowd, area, found in frame["objects"] if not crowd and found < score]
    found = sum(own >= score for own in frame["scores"])
    return DetectionCounts(score, right, wrong, len(missed), max(missed, default=0.0), found)


def with_rates(frame: dict[str, Any], matches: Matches, score: float) -> dict[str, Any]:
    """A frame's line with its matches, and before them what can be read without them."""
    own = columns(matches)
    return {**frame, "rates": list(astuple(rates(own, score))), **own}
