# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Detections of an evaluation as one Parquet table: a row for each instance from the score floor.

The lists are read frame by frame and written in groups of rows: memory does not grow with the evaluation. The same evaluation
and the same pyarrow give the same bytes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow.parquet import ParquetWriter
from pycocotools import mask as coco_mask

from fcis_ros.errors import InputError
from fcis_ros.files import atomic_path
from fcis_ros.metrics.matching import OVERLAPS, best_by_label
from fcis_ros.results.run_reader import FRAMES, RunReader

GROUP_ROWS = 2**16
SCHEMA = pyarrow.schema(
    [
        ("bag", pyarrow.int32()),  # index of the recording, from 0
        ("frame", pyarrow.int64()),  # index in the recording, from 0
        ("name", pyarrow.string()),  # name of the frame
        ("stamp_ns", pyarrow.int64()),  # stamp of the frame's header, since the epoch
        ("annotated", pyarrow.bool_()),  # whether the frame has ground truth
        ("image_id", pyarrow.int64()),  # id of the frame in annotations.json
        ("category_id", pyarrow.int64()),  # id of the class in annotations.json
        ("class", pyarrow.string()),
        ("score", pyarrow.float64()),
        ("matched", pyarrow.bool_()),  # at a mask overlap of 0.5; null: not matched with ground truth, or ignored
        *((name, pyarrow.int32()) for name in ("x", "y", "w", "h")),  # tight box of the mask, pixels
        ("area", pyarrow.int64()),  # pixels of the mask
        ("height", pyarrow.int32()),  # pixels of the frame and of the mask
        ("width", pyarrow.int32()),
        ("counts", pyarrow.string()),  # COCO's compressed run lengths of the mask
    ]
)
Row = tuple[Any, ...]  # values in the order of SCHEMA


def write_parquet(folder: Path, path: Path) -> int:
    """Writes the detections, in the order of the frames.

    Args:
        folder: folder of the evaluation, which may be incomplete.
        path: file to create or to replace, which is not left incomplete.

    Returns:
        The number of rows.

    Raises:
        InputError: the folder holds no evaluation, or a damaged one, or the path is a folder.
    """
    reader = RunReader(folder)
    if path.is_dir():
        raise InputError(f"{path}: a folder, not a file to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    total, group = 0, []
    with atomic_path(path) as partial, partial.open("wb") as file, ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for rows in _rows(reader):
            group += rows
            total += len(rows)
            if len(group) >= GROUP_ROWS:
                writer.write_table(_table(group))
                group = []
        writer.write_table(_table(group))
    return total


def _table(rows: list[Row]) -> pyarrow.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
    return pyarrow.table([pyarrow.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], SCHEMA)


def _rows(reader: RunReader) -> Iterator[list[Row]]:
    """The rows of each frame."""
    category_ids = reader.spec["category_ids"]
    names = dict(zip(category_ids, reader.spec["class_names"], strict=True))
    labels = {category_id: label for label, category_id in enumerate(category_ids, start=1)}
    for stored in reader.stored(("detections", "unannotated")):
        frame, results = stored.record, stored.results
        masks = [entry["segmentation"] for entry in results]
        boxes = coco_mask.toBbox(masks).astype(int).tolist() if masks else []
        areas = coco_mask.area(masks).tolist() if masks else []
        try:
            matched = _matched(frame, [{**entry, "category_id": labels[entry["category_id"]]} for entry in results])
        except ValueError:
            raise InputError(f"{reader.path / FRAMES}: frame {frame['name']} has other instances than the lists") from None
        head = frame["bag"], frame["index"], frame["name"], frame["stamp"], frame["truth"] is not None
        yield [
            (*head, entry["image_id"], entry["category_id"], names[entry["category_id"]], entry["score"], match, *box, area,
             *entry["segmentation"]["size"], entry["segmentation"]["counts"])
            for entry, match, box, area in zip(results, matched, boxes, areas, strict=True)
        ]  # fmt: skip


def _matched(frame: dict[str, Any], results: list[dict[str, Any]]) -> list[bool | None]:
    """Whether each result matches an object, from the frame's codes, which ``best_by_label`` orders (``matching.Matches``)."""
    matched: list[bool | None] = [None] * len(results)
    if frame["truth"] is None:
        return matched
    rows = [{**entry, "row": row} for row, entry in enumerate(results)]
    order = (entry["row"] for _, best in best_by_label(rows) for entry in best)
    for row, (code, *_) in zip(order, frame["masks"], strict=True):
        matched[row] = None if code >> len(OVERLAPS) & 1 else bool(code & 1)
    return matched
