# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""An option that would have no effect is refused, in one line; and so is nothing that was not given."""

import pytest
from cli_inputs import refused

from fcis_ros.cli.main import main

BAG = ["evaluate-bag", "bag", "--out", "out"]
RAW = ["predict", "a.png", "--raw", "a.npz"]
EVALUATE = ["evaluate", "--annotations", "a.json", "--images", "."]
MERGE = ["evaluate-merge", "parts"]
TRAIN = ["train", "--config", "run.json", "--out", "run"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*BAG, "--rate", "5"], "--rate needs --live"),
        ([*BAG, "--domain", "0"], "--domain needs --live"),
        ([*BAG, "--engine", "ray", "--rate", "5"], "--rate needs --live"),
        ([*BAG, "--parts", "4"], "--parts needs --engine"),
        ([*BAG, "--live", "--parts", "4"], "--parts needs --engine"),
        ([*BAG, "--tolerance", "0"], "--tolerance needs --baseline"),
        ([*BAG, "--live", "--shard", "1/1"], "--shard has no effect with --live"),
        ([*BAG, "--live", "--engine", "ray"], "--engine has no effect with --live"),
        ([*RAW, "--annotations", "a.json"], "--annotations needs --out"),
        ([*RAW, "--score", "0"], "--score needs --out"),
        ([*RAW, "--min-score", "0.1"], "--min-score needs --out"),
        ([*EVALUATE, "--score", "0.3"], "--score needs --out"),
        (["report", "dir", "--tolerance", "0.1"], "--tolerance needs --baseline"),
        ([*MERGE, "--tolerance", "0.1"], "--tolerance needs --baseline"),
        ([*MERGE, "--status", "--out", "dir"], "--out has no effect with --status"),
        ([*MERGE, "--status", "--partial"], "--partial has no effect with --status"),
        ([*MERGE, "--status", "--baseline", "report.json"], "--baseline has no effect with --status"),
        (["demo", "a.png", "--seed", "0"], "--seed is for the synthetic clip"),
        (["record", "a.png", "--out", "bag", "--seed", "0"], "--seed is for the synthetic clip"),
        ([*TRAIN, "--synthetic", "0"], "--synthetic needs --annotations"),
        ([*TRAIN, "--eval-limit", "5"], "--eval-limit needs --eval-annotations"),
    ],
)
def test_option_without_effect_is_refused(arguments, says, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(capfd, arguments, says)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [BAG, RAW, EVALUATE, MERGE, TRAIN, ["demo", "a.png"], ["record", "a.png", "--out", "bag"], ["report", "dir"]]
)
def test_default_options_are_not_refused(arguments, capfd, tmp_path, monkeypatch):
    """The command gets as far as to miss its input."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capfd.readouterr().err
    assert "no such" in said.lower() or "no shard of an evaluation" in said or "no evaluation" in said


@pytest.mark.parametrize(
    "arguments",
    [["demo", "--rate", "0"], ["demo", "--rate", "inf"], ["demo", "--frames", "0"], [*BAG, "--score", "1.5"],
     [*BAG, "--engine", "dask"], [*BAG, "--shard", "11/10"], ["nothing"], []],
)  # fmt: skip
def test_invalid_values_are_named(arguments, capsys):
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 2 and "usage" in capsys.readouterr().err
