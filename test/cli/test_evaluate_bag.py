# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``fcis evaluate-bag``: a recording becomes a report; folders and options that do not fit are refused."""

import json

import pytest
from cli_inputs import refused, write_annotations

from fcis_ros.cli.main import main


@pytest.fixture
def command(model, images, tmp_path):
    """The command for a recording of the two images."""
    assert main(["record", str(images), "--out", str(tmp_path / "bag")]) == 0
    return ["evaluate-bag", str(tmp_path / "bag"), "--checkpoint", str(model), "--device", "cpu", "--out"]


def test_evaluate_bag_recording_writes_the_report(command, annotations, tmp_path, capsys):
    assert main([*command, str(tmp_path / "out"), "--annotations", str(annotations)]) == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["frames_in"], report["frames_annotated"], report["matched_by"]) == (2, 2, "name")
    assert "mask AP / AP50 / AP75" in capsys.readouterr().out
    assert main([*command, str(tmp_path / "out"), "--annotations", str(annotations)]) == 2
    assert "holds this evaluation already" in capsys.readouterr().err
    others = write_annotations(tmp_path / "others.json", images=[], annotations=[])
    assert main([*command, str(tmp_path / "none"), "--annotations", str(others)]) == 2
    assert "annotations of other frames" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "none"), "--topic", "/up"]) == 2
    assert "no images on topic /up" in capsys.readouterr().err


def test_evaluate_bag_shard_into_folder_of_whole_evaluation_is_refused(command, model, images, annotations, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*command, str(out)]) == 0
    assert main([*command, str(out), "--shard", "1/2"]) == 2 and not (out / "part-1-of-2").exists()
    assert "holds an evaluation without shards" in capsys.readouterr().err
    evaluate = ["evaluate", "--annotations", str(annotations), "--images", str(images), "--checkpoint", str(model)]
    assert main([*evaluate, "--device", "cpu", "--out", str(out)]) == 2 and (out / "frames.jsonl").exists()
    assert "holds an evaluation of recordings" in capsys.readouterr().err
    assert main([*command, str(out / "x"), "--shard", "1/2"]) == 0
    (out / "x/part-1-of-2").rename(out / "part-1-of-2")
    assert main(["evaluate-merge", str(out)]) == 2
    assert "holds an evaluation and shards of another" in capsys.readouterr().err


def test_evaluate_bag_complete_shard_is_skipped(command, tmp_path, capsys):
    shard = [*command, str(tmp_path / "shards"), "--shard", "1/10"]
    assert main(shard) == 0 and main(shard) == 0
    assert "part-01-of-10: complete already" in capsys.readouterr().out
    assert main([*shard, "--score", "0.3"]) == 2
    assert "holds another evaluation (score: 0.5 in the folder, 0.3 now)" in capsys.readouterr().err


@pytest.mark.fleet
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--shard", "1/1"], "--shard computes one shard, --engine all of them"),
        (["--device", "cuda:1"], "--device cuda:1: Ray says which GPU a worker has"),
        (["--parts", "4"], "holds shards of 3, not of 4"),
    ],
)
def test_evaluate_bag_options_that_contradict_an_engine_are_refused(tmp_path, capfd, options, problem):
    (tmp_path / "out/part-1-of-3").mkdir(parents=True)
    refused(capfd, ["evaluate-bag", tmp_path / "bag", "--out", tmp_path / "out", "--engine", "ray", *options], problem)
