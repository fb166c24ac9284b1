# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.training.run_log import RunLog, read_log


def test_run_log_resumed_removes_lost_and_cut_rows(tmp_path):
    path = tmp_path / "log.jsonl"
    kept = [{"step": 2, "roi_mask": 1.5}, {"step": 4, "evaluation": {"AP": 0.5}}]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*kept, {"step": 5}]) + '{"step": 6, "roi')
    with RunLog(path, 4) as log:
        assert log.evaluated == {4}
        log.write(step=6, lr=0.1)
        assert read_log(path) == ([*kept, {"step": 6, "lr": 0.1}], ())  # while it is open


def test_run_log_of_new_run_is_empty(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n')
    with RunLog(tmp_path / "log.jsonl", 0):
        assert read_log(tmp_path / "log.jsonl") == ([], ())


def test_run_log_resumed_names_damaged_lines(tmp_path, capfd):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 2}\n\0\0\0\n{"step": "3"}\n{"step": 4}\n' + b"[" * 100_000 + b'\n{"step": 6, "ro')
    for _ in range(2):
        rows, findings = read_log(path)
        assert rows == [{"step": 2}, {"step": 4}]
        with RunLog(path, 4, writes=False):
            assert capfd.readouterr().err == ""
    assert [str(finding) for finding in findings] == ["log.jsonl: 3 damaged lines, left out: 2, 3, 5"]
    with RunLog(path, 4):
        assert capfd.readouterr().err == f"fcis: {findings[0]}\n"
    assert read_log(path) == (rows, ())


@given(st.binary(max_size=200))
def test_read_log_any_content_counts_every_line(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_bytes(content)
        rows, findings = read_log(path)
    damaged = int(findings[0].text.split()[0]) if findings else 0
    assert 0 <= len(rows) + damaged - content.count(b"\n") <= 1
