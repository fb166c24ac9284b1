# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The table of what was found says what the lists say, value by value, and which instances are right."""

import json

import numpy as np
import pytest
from bag_evaluations import Network, contents, run
from pycocotools import mask as rle

from fcis_ros.cli.main import main

pytestmark = pytest.mark.fleet


def rows(folder, path, *options):
    from pyarrow.parquet import read_table

    assert main(["report", str(folder), "--parquet", str(path), *options]) == 0
    return read_table(path).to_pylist()


def require_same(table, listed, names):
    """Rows of the table and entries of a list are the same."""
    assert len(table) == len(listed) > 0
    for row, entry in zip(table, listed, strict=True):
        mask = {"size": [row["height"], row["width"]], "counts": row["counts"]}
        expected = {"image_id": row["image_id"], "category_id": row["category_id"], "score": row["score"], "segmentation": mask}
        assert entry == expected
        assert row["class"] == names[row["category_id"]]
        rows_, columns = np.nonzero(rle.decode(mask))
        assert (row["x"], row["y"]) == (columns.min(), rows_.min())
        assert (row["w"], row["h"]) == (np.ptp(columns) + 1, np.ptp(rows_) + 1)
        assert row["area"] == len(rows_)


def test_write_parquet_evaluation_equals_the_lists(bag, annotations, tmp_path, bags):
    run(bag, annotations, tmp_path / "out")
    table = rows(tmp_path / "out", tmp_path / "tables/out.parquet")
    require_same(table, json.loads((tmp_path / "out/detections.json").read_text()), {5: "car", 9: "pedestrian"})
    assert all(row["annotated"] for row in table)
    images = {image["id"]: image for image in json.loads((tmp_path / "out/annotations.json").read_text())["images"]}
    for row in table:
        image = images[row["image_id"]]
        assert (row["name"], row["stamp_ns"], row["bag"]) == (image["file_name"], image["stamp_ns"], image["bag"])
        assert row["stamp_ns"] == bags.START + row["frame"]


def test_write_parquet_matched_equals_the_report(bag, annotations, tmp_path, scenes):
    """As the report counts them, and by their overlap with a ground-truth mask of their class."""
    content = scenes[1]
    annotations.write_text(json.dumps({**content, "annotations": content["annotations"][::2]}))
    run(bag, annotations, tmp_path / "out")
    table = rows(tmp_path / "out", tmp_path / "out.parquet")
    sweep = json.loads((tmp_path / "out/report.json").read_text())["sweep"]["all"]
    assert len(sweep) > 3
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
    crowds = [{**entry, "iscrowd": 1} for entry in content["annotations"]]
    annotations.write_text(json.dumps({**content, "annotations": crowds}))
    run(bag, annotations, tmp_path / "crowds")
    assert {row["matched"] for row in rows(tmp_path / "crowds", tmp_path / "crowds.parquet")} == {None}


def test_write_parquet_frames_without_ground_truth_have_no_match(bag, annotations, tmp_path, scenes):
    run(bag, None, tmp_path / "none")
    table = rows(tmp_path / "none", tmp_path / "none.parquet")
    require_same(table, json.loads((tmp_path / "none/detections.json").read_text()), {1: "car", 2: "pedestrian"})
    assert {(row["annotated"], row["matched"]) for row in table} == {(False, None)}
    content = scenes[1]
    half = [{**image, "stamp_ns": entry[3]} for image, entry in zip(content["images"][:6], scenes[0], strict=False)]
    kept = {image["id"] for image in half}
    entries = [entry for entry in content["annotations"] if entry["image_id"] in kept]
    annotations.write_text(json.dumps({**content, "images": half, "annotations": entries}))
    run(bag, annotations, tmp_path / "half")
    table = rows(tmp_path / "half", tmp_path / "half.parquet")
    for name, annotated in (("detections", True), ("unannotated", False)):
        listed = json.loads((tmp_path / f"half/{name}.json").read_text())
        require_same([row for row in table if row["annotated"] == annotated], listed, {5: "car", 9: "pedestrian"})
    assert [row["frame"] for row in table] == sorted(row["frame"] for row in table)


def test_write_parquet_any_group_size_gives_the_same_rows(bag, annotations, tmp_path, monkeypatch):
    from pyarrow.parquet import ParquetFile

    from fcis_ros.results import parquet_table

    run(bag, annotations, tmp_path / "out")
    before = contents(tmp_path / "out")
    table = rows(tmp_path / "out", tmp_path / "first.parquet")
    assert rows(tmp_path / "out", tmp_path / "second.parquet") == table
    assert (tmp_path / "first.parquet").read_bytes() == (tmp_path / "second.parquet").read_bytes()
    monkeypatch.setattr(parquet_table, "GROUP_ROWS", 5)
    assert rows(tmp_path / "out", tmp_path / "groups.parquet") == table
    assert ParquetFile(tmp_path / "groups.parquet").num_row_groups > 2
    assert contents(tmp_path / "out") == before  # the report is the same again


def test_write_parquet_interrupted_evaluation_has_its_whole_frames(bag, annotations, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, tmp_path / "out", Network(fails_at=5))
    table = rows(tmp_path / "out", tmp_path / "out.parquet")
    assert {row["frame"] for row in table} <= set(range(4))
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, tmp_path / "empty", Network(fails_at=1))
    assert rows(tmp_path / "empty", tmp_path / "empty.parquet") == []


def test_report_parquet_unusable_path_or_folder_is_refused(bag, annotations, tmp_path, capsys):
    run(bag, annotations, tmp_path / "out")
    (tmp_path / "file").write_text("")
    for path, problem in ((tmp_path, "a folder, not a file"), (tmp_path / "file/table", "cannot be written")):
        assert main(["report", str(tmp_path / "out"), "--parquet", str(path)]) == 2
        assert capsys.readouterr().err.startswith(f"fcis: {path}: {problem}")
    (tmp_path / "out/detections.json").write_text("[]")
    assert main(["report", str(tmp_path / "out"), "--parquet", str(tmp_path / "table")]) == 2
    assert capsys.readouterr().err.startswith(f"fcis: {tmp_path / 'out/detections.json'}: damaged behind byte")
    assert not list(tmp_path.glob("table*"))
