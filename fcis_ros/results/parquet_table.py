# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What was found in an evaluation, as one Parquet table: a row for each instance from a score of 0.02.

The lists are read frame by frame and written in groups of rows: memory does not grow with the evaluation. The same evaluation
and the same pyarrow give the same bytes.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow.parquet import ParquetWriter
from pycocotools import mask as rle

from fcis_ros.errors import InputError
from fcis_ros.metrics.matching import OVERLAPS, compared
from fcis_ros.results.store import FRAMES, read_run
from fcis_ros.results.stored_frames import read_stored

ROWS = 2**16  # of a group
SCHEMA = pyarrow.schema(
    [
        ("bag", pyarrow.int32()),  # which recording, from 0
        ("frame", pyarrow.int64()),  # its place in the recording, from 0
        ("name", pyarrow.string()),  # of the frame
        ("stamp_ns", pyarrow.int64()),  # of the frame's header, since the epoch
        ("annotated", pyarrow.bool_()),  # whether there is truth of the frame
        ("image_id", pyarrow.int64()),  # the frame in annotations.json
        ("category_id", pyarrow.int64()),  # as there
        ("class", pyarrow.string()),
        ("score", pyarrow.float64()),
        ("matched", pyarrow.bool_()),  # at an overlap of the masks of 0.5; null: not compared, or it counts neither way
        *((name, pyarrow.int32()) for name in ("x", "y", "w", "h")),  # tight box of the mask, pixels
        ("area", pyarrow.int64()),  # pixels of the mask
        ("height", pyarrow.int32()),  # of the frame, and of the mask
        ("width", pyarrow.int32()),
        ("counts", pyarrow.string()),  # of the mask, COCO's compressed run lengths
    ]
)
Row = tuple[Any, ...]  # in the order of SCHEMA


def write_parquet(folder: Path, path: Path) -> int:
    """Writes what was found, in the order of the frames.

    Args:
        folder: of the evaluation; one that was interrupted has the rows of its whole frames.
        path: the file; it is there whole or as it was.

    Returns:
        The number of rows.

    Raises:
        InputError: the folder holds no evaluation, or a damaged one, or the path is a folder.
    """
    what = read_run(folder)["what"]
    if path.is_dir():
        raise InputError(f"{path}: a folder, not a file to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".partial")
    total, waiting = 0, []
    try:
        with aside.open("wb") as file, ParquetWriter(file, SCHEMA, compression="zstd") as writer:
            for rows in _rows(folder, what):
                waiting += rows
                total += len(rows)
                if len(waiting) >= ROWS:
                    writer.write_table(_table(waiting))
                    waiting = []
            writer.write_table(_table(waiting))
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return total


def _table(rows: list[Row]) -> pyarrow.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
    return pyarrow.table([pyarrow.array(column, own.type) for column, own in zip(columns, SCHEMA, strict=True)], SCHEMA)


def _rows(folder: Path, what: dict[str, Any]) -> Iterator[list[Row]]:
    """The rows of each frame."""
    names = dict(zip(what["category_ids"], what["class_names"], strict=True))
    labels = {own: label for label, own in enumerate(what["category_ids"], start=1)}
    for stored in read_stored(folder, ("detections", "unannotated")):
        frame, found = stored.frame, stored.results
        masks = [own["segmentation"] for own in found]
        boxes = rle.toBbox(masks).astype(int).tolist() if masks else []
        areas = rle.area(masks).tolist() if masks else []
        try:
            matched = _matched(frame, [labels[own["category_id"]] for own in found], [own["score"] for own in found])
        except ValueError:
            raise InputError(f"{folder / FRAMES}: frame {frame['name']} has other instances than the lists beside it") from None
        head = frame["bag"], frame["index"], frame["name"], frame["stamp"], frame["truth"] is not None
        yield [
            (*head, own["image_id"], own["category_id"], names[own["category_id"]], own["score"], right, *box, area,
             *own["segmentation"]["size"], own["segmentation"]["counts"])
            for own, right, box, area in zip(found, matched, boxes, areas, strict=True)
        ]  # fmt: skip


def _matched(frame: dict[str, Any], labels: list[int], scores: list[float]) -> list[bool | None]:
    """Whether each instance is an object, from the frame's codes (``matching.Matches``), which have an order of their own."""
    matched: list[bool | None] = [None] * len(labels)
    if frame["truth"] is None:
        return matched
    rows = [
        {"category_id": label, "score": score, "place": place}
        for place, (label, score) in enumerate(zip(labels, scores, strict=True))
    ]
    order = (own["place"] for _, best in compared(rows) for own in best)
    for place, (code, *_) in zip(order, frame["masks"], strict=True):
        matched[place] = None if code >> len(OVERLAPS) & 1 else bool(code & 1)
    return matched
