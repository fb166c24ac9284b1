# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is said about folders of results."""

import json

import pytest
from bag_evaluations import Network, contents, run, run_shards
from recordings import annotations, bag, bags, scenes  # noqa: F401 (fixtures)

from fcis_ros.cli.run_inspection import inspect_evaluation, inspect_shards, inspect_training_run
from fcis_ros.findings import Finding


def test_inspect_evaluation_says_what_its_report_says(bag, annotations, tmp_path):  # noqa: F811
    report = run(bag, annotations, tmp_path / "out")
    before = contents(tmp_path / "out")
    inspection = inspect_evaluation(tmp_path / "out")
    assert inspection.facts["mask AP"] == report["ap"]["segm"]["AP"] and inspection.facts["frames"] == 12
    assert inspection.findings == () and "reports it again" in inspection.uses["evaluate-bag"]
    assert contents(tmp_path / "out") == before


def test_inspect_evaluation_interrupted_is_not_whole(bag, tmp_path):  # noqa: F811
    with pytest.raises(KeyboardInterrupt):
        run(bag, None, tmp_path / "out", Network(fails_at=3))
    inspection = inspect_evaluation(tmp_path / "out")
    assert [finding.lost for finding in inspection.findings] == [True] and "resumes it" in inspection.uses["evaluate-bag"]


def test_inspect_shards_missing_ones_are_named(bag, tmp_path):  # noqa: F811
    run_shards(bag, None, tmp_path / "shards", 3, [1, 3])
    inspection = inspect_shards(tmp_path / "shards")
    assert inspection.facts == {"progress": "2 of 3 shards complete, 1 not begun"}
    assert (
        inspection.findings == (Finding("shards", "shard 2: not begun"),) and "--partial" in inspection.uses["evaluate-merge"]
    )


def test_inspect_training_run_tells_how_far_it_is(tmp_path):
    rows = [{"step": 20, "loss": 3.0}, {"step": 40, "evaluation": {"AP": 0.1}}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "state.safetensors").touch()
    inspection = inspect_training_run(tmp_path)
    assert inspection.facts == {"steps in the log": 40, "evaluations": 1} and [*inspection.uses] == ["train"]
