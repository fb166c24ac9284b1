# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Track ids are measured where the truth has them, from the folder alone, in one piece as in shards (seed 0)."""

import json

import pytest
from bag_evaluations import OBJECTS, Network, run, written

from fcis_ros.evaluation.spec import Shard
from fcis_ros.results.merge import find_shards, merge, shard_path
from fcis_ros.results.run_report import write_report


@pytest.fixture
def with_ids(scenes, tmp_path):
    """Each of the objects has one id in all frames."""
    annotations = []
    for entry in scenes[1]["annotations"]:
        annotations.append({**entry, "track_id": 1 + entry["category_id"]})
    return written(tmp_path / "ids.json", scenes[1], annotations=annotations)


def test_measure_tracks_standing_object_has_no_switches(bag, scenes, tmp_path):
    """One object that does not move and is always detected has one id."""
    x, y, w, h = OBJECTS[1]
    kept = [{**entry, "track_id": 7} for entry in scenes[1]["annotations"] if entry["category_id"] == 9]
    truth = written(tmp_path / "one.json", scenes[1], annotations=kept)
    report = run(bag, truth, tmp_path / "out", score=0.1)
    assert report["tracks"]["switches"] == 0 and report["tracks"]["objects"] == len(kept)
    assert 0 < report["tracks"]["idf1"] <= 1 and report["tracks"]["matched"] <= len(kept)
    blind = run(bag, truth, tmp_path / "blind", Network(blind=0.9), score=0.1)
    assert blind["tracks"]["idf1"] < report["tracks"]["idf1"]


def test_measure_tracks_without_ids_is_undefined(bag, annotations, tmp_path):
    report = run(bag, annotations, tmp_path / "out")
    assert report["tracks"] is None


def test_measure_tracks_merged_shards_equal_one_evaluation(bag, with_ids, tmp_path):
    """The tracker runs over the merged frames, so a shard's end ends no track."""
    report = run(bag, with_ids, tmp_path / "whole", score=0.1)
    for number in range(1, 5):
        run(bag, with_ids, shard_path(tmp_path / "shards", number, 4), shard=Shard(number, 4), score=0.1)
    shards, what = find_shards([tmp_path / "shards"])
    (tmp_path / "merged").mkdir()
    merge(shards, what, tmp_path / "merged")
    assert write_report(tmp_path / "merged")["tracks"] == report["tracks"]
    assert json.loads((tmp_path / "merged/report.json").read_text()) == json.loads((tmp_path / "whole/report.json").read_text())
