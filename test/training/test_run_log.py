# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json

from fcis_ros.training.run_log import RunLog, read_log


def test_run_log_resumed_removes_lost_and_cut_rows(tmp_path):
    path = tmp_path / "log.jsonl"
    kept = [{"step": 2, "roi_mask": 1.5}, {"step": 4, "evaluation": {"AP": 0.5}}]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*kept, {"step": 5}]) + '{"step": 6, "roi')
    with RunLog(path, 4) as log:
        assert log.evaluated == {4}
        log.write(step=6, lr=0.1)
        assert read_log(path) == [*kept, {"step": 6, "lr": 0.1}]  # while it is open


def test_run_log_of_new_run_is_empty(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n')
    with RunLog(tmp_path / "log.jsonl", 0):
        assert read_log(tmp_path / "log.jsonl") == []
