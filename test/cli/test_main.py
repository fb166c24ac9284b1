# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The command line as a whole: help, options, exit status."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from cli_inputs import refused

from fcis_ros.cli.main import COMMANDS, main
from fcis_ros.errors import OperatorsError


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_of_every_command_is_complete(command, capsys):
    with pytest.raises(SystemExit) as done:
        main([command, "--help"] if command else ["--help"])
    text = capsys.readouterr().out
    assert done.value.code == 0 and "default: None" not in text and "%(" not in text
    for name in COMMANDS if command is None else ():
        assert name in text


def test_main_every_command_is_in_the_tables_of_its_page():
    page = (Path(__file__).resolve().parents[2] / "docs/cli.md").read_text()
    tables = page.split("## Exit status")[0], page.split("| command | 1 |")[1].split("\n\n")[0]
    for table in tables:
        rows = re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
        assert sorted(re.findall("`([^`]*)`", " ".join(rows))) == sorted(COMMANDS)


def test_main_as_process_returns_the_status():
    command = [sys.executable, "-m", "fcis_ros", "info", "missing.safetensors"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == ["fcis: checkpoint missing.safetensors: no such file"]


@pytest.mark.parametrize("name", ["a.tif", "a.mp4"])
def test_main_decoders_say_nothing_themselves(tmp_path, name):
    """A TIFF file with an unknown field, without a size; a video without its index."""
    header = {"a.tif": b"II*\0\x08\0\0\0\x01\0" + b"\xff" * 60, "a.mp4": b"\0\0\0\x18ftypmp42" + bytes(99)}
    (tmp_path / name).write_bytes(header[name])
    command = [sys.executable, "-m", "fcis_ros", "record", str(tmp_path / name), "--out", str(tmp_path / "bag")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    spoken = ("record:",) if cv2.__version__ >= "4.6" else ("record:", "[mov,")  # the FFmpeg of older ones cannot be told
    said = [line for line in done.stderr.splitlines() if line and not line.startswith(spoken)]
    assert done.returncode == 2 and len(said) == 1 and said[0].startswith("fcis: ") and name in said[0]


def test_main_unknown_device_is_named(model, images, tmp_path, capfd):
    refused(capfd, ["predict", images, "--out", tmp_path / "o", "--checkpoint", model, "--device", "tpu"], "tpu")


def test_main_stale_operators_are_named_in_one_line(monkeypatch, capsys):
    def run(arguments):
        raise OperatorsError("_C.so was built from other sources; build it again: `make setup`")

    monkeypatch.setattr("fcis_ros.cli.info.run", run)
    assert main(["info"]) == 2
    assert capsys.readouterr().err == "fcis: _C.so was built from other sources; build it again: `make setup`\n"
