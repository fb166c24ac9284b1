# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Track ids are measured where the ground truth has them; see also test_merge.py."""

import pytest
from bag_evaluations import Network, run, written


def test_measure_tracks_standing_object_has_no_switches(bag, scenes, tmp_path):
    """One object that does not move and is always detected has one id; without ids in the ground truth nothing is measured."""
    kept = [{**entry, "track_id": 7} for entry in scenes[1]["annotations"] if entry["category_id"] == 9]
    truth = written(tmp_path / "one.json", scenes[1], annotations=kept)
    tracks = run(bag, truth, tmp_path / "out", score=0.1)["tracks"]
    assert (tracks["switches"], tracks["objects"]) == (0, len(kept)) and 0 < tracks["matched"] <= len(kept)
    assert tracks["idf1"] == pytest.approx(2 * tracks["matched"] / (len(kept) + tracks["instances"]))
    assert run(bag, truth, tmp_path / "blind", Network(blind=0.9), score=0.1)["tracks"]["idf1"] < tracks["idf1"]
    written(truth, scenes[1])
    assert run(bag, truth, tmp_path / "without", score=0.1)["tracks"] is None
