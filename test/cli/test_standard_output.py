# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Commands in pipelines: a reader that ends first, and a disk without space for the output."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fcis_ros.cli.standard_output import READER_GONE, flushed


def start(arguments, **streams):
    command = [sys.executable, "-m", "fcis_ros", *map(str, arguments)]
    return subprocess.run(command, **{"stderr": subprocess.PIPE, **streams}, text=True, timeout=120)


@pytest.fixture
def closed_pipe():
    """The end of a pipe whose reader is gone."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.mark.parametrize(
    ("arguments", "unbuffered"), [(["--help"], ""), (["report", "--help"], ""), (["info"], ""), (["info", "--json"], "1")]
)
def test_commands_reader_gone_end_without_a_word(arguments, unbuffered, closed_pipe, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = start(arguments, stdout=closed_pipe)
    assert (done.returncode, done.stderr) == (READER_GONE, "")


def test_commands_reader_of_errors_gone_end_without_a_word(closed_pipe):
    done = start(["info", "missing.safetensors"], stdout=subprocess.PIPE, stderr=closed_pipe)
    assert (done.returncode, done.stdout) == (READER_GONE, "")


def test_commands_behind_a_reader_of_one_line_give_it():
    """As it is written in a shell, with the status of each part."""
    script = '"$0" -m fcis_ros info --json | head -1; echo "${PIPESTATUS[@]}"'
    done = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, timeout=120)
    line, statuses = done.stdout.splitlines()
    assert line == "{" and statuses in ("0 0", f"{READER_GONE} 0") and done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["info"]], ids=" ".join)
def test_commands_output_on_a_full_disk_is_named(arguments):
    with open("/dev/full", "w") as full:
        done = start(arguments, stdout=full)
    said = "fcis: standard output: cannot be written (No space left on device)\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_flushed_other_pipe_is_no_matter_of_the_output():
    def command():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        flushed(command)
