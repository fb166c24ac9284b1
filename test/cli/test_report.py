# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``fcis report``: what it prints and writes, its exit status, and what it refuses."""

import json

import pytest
from bag_evaluations import Network, run
from cli_inputs import refused
from recordings import annotations, bag, bags, scenes  # noqa: F401 (fixtures)

from fcis_ros.cli.main import main
from fcis_ros.findings import Finding


@pytest.fixture
def folder(bag, annotations, tmp_path):  # noqa: F811
    run(bag, annotations, tmp_path / "out")
    return tmp_path / "out"


def test_report_baseline_regression_gives_status_1(folder, bag, annotations, tmp_path, capsys):  # noqa: F811
    run(bag, annotations, tmp_path / "bad", Network(blind=0.6))
    command = ["report", str(tmp_path / "bad"), "--baseline", str(folder / "report.json")]
    assert main(command) == 1
    assert "mask AP50 is worse" in capsys.readouterr().out
    assert json.loads((tmp_path / "bad/report.json").read_text())["comparison"]["regressed"]
    page = (tmp_path / "bad/report.html").read_text()
    assert "Worse than the baseline: mask AP" in page and '<tr class="worse"><td>mask AP50</td>' in page
    assert main([*command, "--tolerance", "1"]) == 0
    assert main(["report", str(folder), "--baseline", str(tmp_path / "bad")]) == 0


def test_report_what_is_lost_comes_before_a_regression(folder, bag, annotations, tmp_path, capfd):  # noqa: F811
    """What could not be used may be the cause of the regression."""
    lost = [Finding("bag", "3 frames: no image"), Finding("truth.json", "2 objects of class tram", lost=False)]
    run(bag, annotations, tmp_path / "bad", Network(blind=0.6), findings=lost)
    capfd.readouterr()
    assert main(["report", str(tmp_path / "bad"), "--baseline", str(folder)]) == 2
    captured = capfd.readouterr()
    assert captured.err.splitlines() == ["fcis: remark: truth.json: 2 objects of class tram", "fcis: bag: 3 frames: no image"]
    assert "mask AP50 is worse" in captured.out
    assert main(["report", str(folder), "--baseline", str(tmp_path / "bad")]) == 0


def test_report_results_and_table_are_written(folder, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    table = tmp_path / "table.parquet"
    assert main(["report", str(folder), "--results", "--parquet", str(table), "--score", "0.9"]) == 0
    lines = capsys.readouterr().out.splitlines()
    count = len(json.loads((folder / "detections.json").read_text()))
    assert lines[-1] == f"-> {table} ({count} rows)" and table.is_file()
    assert lines[-2] == f"-> {folder / 'results'} (masks, overlay and outlines, rosbag2)" and (folder / "results").is_dir()


def test_report_unusable_path_or_folder_is_refused(folder, tmp_path, capfd):
    pytest.importorskip("pyarrow")
    (tmp_path / "file").write_text("")
    refused(capfd, ["report", tmp_path], "no evaluation (no run.json in it)")
    for path, problem in ((tmp_path, "a folder, not a file"), (tmp_path / "file/table", "cannot be written")):
        assert main(["report", str(folder), "--parquet", str(path)]) == 2
        assert capfd.readouterr().err.startswith(f"fcis: {path}: {problem}")
