# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""All shards of an evaluation by the processes of a shell or of Ray, of which one is killed (random weights)."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bag_evaluations import contents

from fcis_ros.bags.writer import record
from fcis_ros.cli.main import main
from fcis_ros.data.frame_sources import open_source
from fcis_ros.evaluation.clip_ground_truth import synthetic_ground_truth

SHARDS, FRAMES = 3, 60
pytestmark = pytest.mark.fleet


@pytest.fixture
def command(tmp_path, tiny_checkpoint):
    record(open_source("synthetic", frames=FRAMES).frames(), tmp_path / "bag", ground_truth=synthetic_ground_truth)
    options = ["--checkpoint", str(tiny_checkpoint), "--truth-topic", "/truth/masks", "--threads", "1", "--device", "cpu"]
    return ["evaluate-bag", str(tmp_path / "bag"), *options]


def results(folder):
    """The files of an evaluation that are equal in every run."""
    return {path: data for path, data in contents(folder).items() if path.name not in ("timing.json", "merge.json")}


def started(command, *options):
    """Starts a command that starts Ray, too."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    whole = [sys.executable, "-m", "fcis_ros", *command, "--engine", "ray", *options]
    return subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def writers(folder):
    """(process, path of frames.jsonl) of Ray's workers that are writing a shard."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "comm").read_text().startswith("ray:"):
                for link in (process / "fd").iterdir():
                    path = Path(os.readlink(link))
                    if path.name == "frames.jsonl" and path.is_relative_to(folder):
                        yield int(process.name), path


def kill_in_the_middle(process, path):
    """Kills a process if it has written some frames of its shard and not all; it is stopped while they are counted."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGSTOP)
        with contextlib.suppress(FileNotFoundError):
            while Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "TZX":
                time.sleep(0.001)
        middle = 0 < path.read_bytes().count(b"\n") < FRAMES // SHARDS
        os.kill(process, signal.SIGKILL if middle else signal.SIGCONT)
        return middle
    return False


@pytest.mark.slow
@pytest.mark.timeout(900)  # a Ray is a dozen processes, which wait for whatever else has the cores
def test_ray_killed_worker_is_repeated_with_equal_bytes(command, tmp_path):
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    shards = tmp_path / "shards"
    assert main([*command, "--out", str(shards), "--shard", f"1/{SHARDS}"]) == 0  # is not done again
    killed = False
    with started(command, "--out", str(shards), "--parts", str(SHARDS)) as ray:
        while ray.poll() is None and not killed:
            killed = any(kill_in_the_middle(process, path) for process, path in writers(shards))
            time.sleep(0.05)
        said, errors = ray.communicate()
    assert killed and ray.returncode == 0, errors
    assert f"{SHARDS} of {SHARDS} shards complete" in said
    assert results(shards / "merged") == results(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_damaged_recording_is_merged_and_named(command, tmp_path):
    cut = tmp_path / "cut.mcap"
    (file,) = (tmp_path / "bag").glob("*.mcap")
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    command = [*command[:2], str(cut), *command[2:]]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 2
    shards = tmp_path / "shards"
    with started(command, "--out", str(shards), "--parts", "2") as ray:
        said, errors = ray.communicate()
    assert ray.returncode == 2 and "2 of 2 shards complete" in said, errors
    assert errors.splitlines()[-1].startswith("fcis: cut.mcap: cut off at byte ")
    assert results(shards / "merged") == results(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_failing_part_is_listed_with_its_reason(command, tmp_path):
    shards = tmp_path / "shards"
    (shards / "part-2-of-2").mkdir(parents=True)
    (shards / "part-2-of-2/notes.txt").touch()
    with started(command, "--out", str(shards), "--parts", "2") as ray:
        said, errors = ray.communicate()
    assert ray.returncode == 2, errors
    (line,) = said.splitlines()
    assert line.startswith("shard 2: ") and "exists and is no evaluation" in line
    assert errors.splitlines()[-1] == f"fcis: {shards}: 1 of 2 shards not done; run the same command again to resume"
    assert (shards / "part-1-of-2/report.html").is_file() and not (shards / "merged").exists()


def test_ray_missing_cluster_is_named(tmp_path, capsys, monkeypatch):
    def init(address, **options):
        raise ConnectionError(f"{address}\ndoes not answer")

    monkeypatch.setattr("ray.init", init)
    for address in ("ray://there:1", "there:2"):
        monkeypatch.setenv("RAY_ADDRESS", "there:2")
        engine = address if "://" in address else "ray"
        assert main(["evaluate-bag", "bag", "--out", str(tmp_path), "--engine", engine]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"fcis: {address}: no usable Ray cluster (") and said.count("\n") == 1


@pytest.mark.slow
def test_xargs_killed_worker_is_repeated_with_equal_bytes(command, tmp_path, capsys):
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
    assert results(tmp_path / "shards/merged") == results(tmp_path / "whole")
