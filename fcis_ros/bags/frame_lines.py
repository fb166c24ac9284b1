# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A line of frames.jsonl: a frame of a recording, and how what was found in it compares with what is there."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fcis_ros.evaluation.matching import AREAS, OVERLAPS, Matches, need_not
from fcis_ros.evaluation.precision import Table

Frame = Mapping[str, Any]


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


def table(frames: Sequence[Frame]) -> Table:
    """The matches of frames, in the order of their image ids, as pycocotools takes them."""
    frames = sorted(frames, key=lambda frame: frame["image_id"])
    objects = _array(frames, "objects", (-1, 4), np.float64)
    number = np.arange(len(frames))
    matches = Matches(
        objects[:, :2].astype(np.int64),
        objects[:, 2],
        objects[:, 3],
        _array(frames, "labels", (-1,), np.int64),
        _array(frames, "scores", (-1,), np.float64),
        _array(frames, "masks", (-1, len(AREAS)), np.int64),
        _array(frames, "boxes", (-1,), np.int64),
        _array(frames, "voc", (-1,), np.int64),
    )
    return Table(
        len(frames),
        np.repeat(number, [len(frame["objects"]) for frame in frames]),
        np.repeat(number, [len(frame["labels"]) for frame in frames]),
        need_not(matches.areas, matches.objects[:, 1]),
        matches,
    )


def _array(frames: Sequence[Frame], name: str, shape: tuple[int, ...], kind: type) -> np.ndarray:
    values: Iterable = itertools.chain.from_iterable(frame[name] for frame in frames)
    if len(shape) == 2:
        values = itertools.chain.from_iterable(values)
    return np.fromiter(values, kind).reshape(shape)


def counts(frame: Frame, score: float) -> tuple[int, int, int, float]:
    """How many instances of a frame from this score on are right, wrong and missed, and the area of the largest missed.

    They are right from an overlap of the masks of 0.5.
    """
    right = wrong = 0
    for own, (code, *_) in zip(frame["scores"], frame["masks"], strict=True):
        if own >= score and not code >> len(OVERLAPS) & 1:
            right, wrong = right + (code & 1), wrong + 1 - (code & 1)
    missed = [area for _, crowd, area, found in frame["objects"] if not crowd and found < score]
    return right, wrong, len(missed), max(missed, default=0.0)
