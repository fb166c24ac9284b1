# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The Parquet table equals the lists value by value, and says which instances match."""

import json

import numpy as np
import pytest
from bag_evaluations import Network, contents, run, written
from pycocotools import mask as rle

from fcis_ros.results import parquet_table

pytestmark = pytest.mark.fleet


def rows(folder, path):
    from pyarrow.parquet import read_table

    parquet_table.write_parquet(folder, path)
    return read_table(path).to_pylist()


@pytest.mark.parametrize("annotated", [True, False])
def test_write_parquet_rows_equal_the_lists(evaluation, bag, tmp_path, annotated):
    folder, first, second = (evaluation / "out", 5, 9) if annotated else (tmp_path / "out", 1, 2)
    if not annotated:
        run(bag, None, folder)
    table = rows(folder, tmp_path / "tables/out.parquet")
    assert [row["frame"] for row in table] == sorted(row["frame"] for row in table)
    images = {image["id"]: image for image in json.loads((folder / "annotations.json").read_text())["images"]}
    for name, listed in (("detections", True), ("unannotated", False)):
        entries = json.loads((folder / f"{name}.json").read_text())
        of_list = [row for row in table if (row["image_id"] in images) == listed]
        assert (len(entries) > 0) == (listed or annotated)
        for row, entry in zip(of_list, entries, strict=True):
            mask = {"size": [row["height"], row["width"]], "counts": row["counts"]}
            assert entry == {**{key: row[key] for key in ("image_id", "category_id", "score")}, "segmentation": mask}
            rows_, columns = np.nonzero(rle.decode(mask))
            assert (row["x"], row["y"]) == (columns.min(), rows_.min())
            assert (row["w"], row["h"]) == (np.ptp(columns) + 1, np.ptp(rows_) + 1)
            assert (row["class"], row["area"]) == ({first: "car", second: "pedestrian"}[row["category_id"]], len(rows_))
            assert row["annotated"] == (annotated and listed) and (row["matched"] is None) == (not row["annotated"])
            if listed:
                image = images[row["image_id"]]
                assert (row["name"], row["stamp_ns"], row["bag"]) == (image["file_name"], image["stamp_ns"], image["bag"])


def test_write_parquet_matched_equals_the_report(bag, annotations, tmp_path, scenes):
    """As the report counts them, and by their overlap with a ground-truth mask of their class."""
    content = scenes[1]
    written(annotations, content, annotations=content["annotations"][::2])
    sweep = run(bag, annotations, tmp_path / "out")["sweep"]["all"]
    table = rows(tmp_path / "out", tmp_path / "out.parquet")
    for line in sweep:
        matched = [row["matched"] for row in table if row["score"] >= line["score"]]
        assert (matched.count(True), matched.count(False), matched.count(None)) == (line["right"], line["wrong"], 0)
    truth = json.loads((tmp_path / "out/annotations.json").read_text())["annotations"]
    assert {row["matched"] for row in table} == {True, False}
    for row in table:
        mask = {"size": [row["height"], row["width"]], "counts": row["counts"]}
        near = [entry["segmentation"] for entry in truth if all(entry[key] == row[key] for key in ("image_id", "category_id"))]
        best = rle.iou([mask], near, [0] * len(near)).max() if near else 0.0
        assert row["matched"] == (best >= 0.5)
    written(annotations, content, annotations=[{**entry, "iscrowd": 1} for entry in content["annotations"]])
    run(bag, annotations, tmp_path / "crowds")
    assert {row["matched"] for row in rows(tmp_path / "crowds", tmp_path / "crowds.parquet")} == {None}


def test_write_parquet_any_group_size_gives_the_same_rows(folder, tmp_path, monkeypatch):
    from pyarrow.parquet import ParquetFile

    before, paths = contents(folder), [tmp_path / name for name in ("first.parquet", "second.parquet", "groups.parquet")]
    table = rows(folder, paths[0])
    assert rows(folder, paths[1]) == table and paths[0].read_bytes() == paths[1].read_bytes()
    monkeypatch.setattr(parquet_table, "GROUP_ROWS", 5)
    assert rows(folder, paths[2]) == table and ParquetFile(paths[2]).num_row_groups > 2
    assert contents(folder) == before


@pytest.mark.parametrize("frames", [0, 4])
def test_write_parquet_interrupted_evaluation_has_its_whole_frames(bag, annotations, tmp_path, frames):
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, tmp_path / "out", Network(fails_at=frames + 1))
    assert {row["frame"] for row in rows(tmp_path / "out", tmp_path / "out.parquet")} <= set(range(frames))
