# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Processes share an evaluation, one of them is killed, and the whole is what one makes (random weights, seed 0, fp32)."""

import os
import signal
import subprocess
import sys
import time

import pytest
from bag_evaluations import contents

from fcis_ros.bags.writer import record
from fcis_ros.cli.main import main
from fcis_ros.data.frame_sources import open_source

SHARDS = 3


@pytest.fixture
def command(tmp_path, tiny_checkpoint):
    source = open_source("synthetic", frames=30)
    from fcis_ros.evaluation.clip_ground_truth import synthetic_ground_truth

    record(source.frames(), tmp_path / "bag", truth=synthetic_ground_truth)
    options = ["--checkpoint", str(tiny_checkpoint), "--truth-topic", "/truth/masks", "--threads", "1"]
    return ["evaluate-bag", str(tmp_path / "bag"), "--device", "cpu", *options]


@pytest.mark.slow
def test_evaluate_bag_shards_by_xargs_with_a_killed_worker_equal_one_run(command, tmp_path, capsys):
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    shards = str(tmp_path / "shards")
    first = [sys.executable, "-m", "fcis_ros", *command, "--out", shards, "--shard", f"1/{SHARDS}"]
    with subprocess.Popen(first, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as worker:
        lines = tmp_path / f"shards/part-1-of-{SHARDS}/frames.jsonl"
        while worker.poll() is None and not (lines.is_file() and lines.read_bytes().count(b"\n") >= 2):
            time.sleep(0.02)
        worker.send_signal(signal.SIGKILL)
    assert worker.returncode in (-signal.SIGKILL, 0)  # 0: it was faster
    shell = f'seq {SHARDS} | xargs -P 2 -I{{}} "$@" --out {shards} --shard {{}}/{SHARDS}'
    workers = subprocess.run(
        ["sh", "-c", shell, "sh", sys.executable, "-m", "fcis_ros", *command], capture_output=True, text=True, env=os.environ
    )
    assert workers.returncode == 0, workers.stderr
    assert main(["evaluate-merge", shards]) == 0
    assert f"{SHARDS} of {SHARDS} shards complete" in capsys.readouterr().out
    whole, merged = (contents(folder) for folder in (tmp_path / "whole", tmp_path / "shards/merged"))
    for files in (whole, merged):
        for path in [path for path in files if path.name in ("timing.json", "merge.json")]:
            del files[path]
    assert merged == whole


def test_evaluate_bag_complete_shard_is_skipped(command, tmp_path, capsys):
    shard = [*command, "--out", str(tmp_path / "shards"), "--shard", "1/10"]
    assert main(shard) == 0 and main(shard) == 0
    assert "part-01-of-10: complete already" in capsys.readouterr().out
    assert main([*shard, "--score", "0.3"]) == 2
    assert "holds another evaluation (score: 0.5 in the folder, 0.3 now)" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--out", str(tmp_path / "shards"), "--shard", "11/10"])
