# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from bag_evaluations import Network, run, run_shards
from recordings import annotations, bag, bags, scenes  # noqa: F401 (fixtures)

from fcis_ros.cli.main import main
from fcis_ros.evaluation.spec import Shard
from fcis_ros.results.merge import shard_path


def test_evaluate_merge_incomplete_shards_are_reported(bag, annotations, tmp_path, capsys):  # noqa: F811
    folder = tmp_path / "shards"
    run_shards(bag, annotations, folder, 4, [1, 3])
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, shard_path(folder, 2, 4), Network(fails_at=3), shard=Shard(2, 4))
    assert main(["evaluate-merge", str(folder), "--status"]) == 1
    expected = "2 of 4 shards complete, 1 interrupted, 1 not begun\nshard 2: interrupted, 2 frames\nshard 4: not begun\n"
    assert capsys.readouterr().out == expected
    assert main(["evaluate-merge", str(folder)]) == 2 and not (folder / "merged").exists()
    assert "shard 2: interrupted, 2 frames; shard 4: not begun" in capsys.readouterr().err
    assert main(["evaluate-merge", str(folder), "--partial"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["fcis: bag: not complete (partial): shard 2: interrupted, 2 frames; shard 4: not begun"]
    report = json.loads((folder / "merged/report.json").read_text())
    assert (report["complete"], report["state"], report["frames_in"]) == (False, "partial", 8)
    run_shards(bag, annotations, folder, 4, [2, 4])  # resumed
    assert main(["evaluate-merge", str(folder)]) == 0
    assert json.loads((folder / "merged/report.json").read_text())["complete"]
    assert main(["evaluate-merge", str(folder), "--status"]) == 0
