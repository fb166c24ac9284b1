# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``fcis evaluate-bag``: a recording becomes a report; folders and options that do not fit are refused."""

import json

import numpy as np
import pytest
from cli_inputs import refused, write_annotations
from recordings import Bags

from fcis_ros.cli.main import main
from fcis_ros.messages.typestore import COMPRESSED


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
    assert main([*command, str(tmp_path / "out"), "--annotations", str(annotations)]) == 0
    assert "out: complete already\n" in capsys.readouterr().out
    others = write_annotations(tmp_path / "others.json", images=[], annotations=[])
    assert main([*command, str(tmp_path / "none"), "--annotations", str(others)]) == 2
    assert "annotations of other frames" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "none"), "--annotations", str(others)]) == 2  # complete, and reported again
    assert capsys.readouterr().err.endswith("fcis: others.json: of none of 2 frames, matched by name\n")
    assert main([*command, str(tmp_path / "none"), "--topic", "/up"]) == 2
    assert "no images on topic /up" in capsys.readouterr().err


def test_evaluate_bag_unusable_frame_gives_status_2_each_time(command, tmp_path, capsys):
    """Also in shards, once these are merged, and when it is only reported; the whole frame is measured."""
    (bag := Bags(tmp_path)).write(
        [("/cam", COMPRESSED, bag.compressed(bag.encoded(np.zeros((48, 64, 3), np.uint8), "png"), "png"), bag.START),
         ("/cam", COMPRESSED, bag.compressed(b"no picture", "png"), bag.START + 1)], name="odd"
    )  # fmt: skip
    command, out = ["evaluate-bag", str(tmp_path / "odd"), *command[2:]], str(tmp_path / "out")
    shards = str(tmp_path / "shards")
    for again in (*[[*command, out]] * 2, ["report", out], *([*command, shards, "--shard", f"{i}/2"] for i in (2, 2)),
                  ["evaluate-merge", shards, "--partial"]):  # fmt: skip
        assert main(again) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith("fcis: odd: ")
    assert main([*command, shards, "--shard", "1/2"]) == 0 and main(["evaluate-merge", shards]) == 2
    assert "\nfcis: odd: 1 frame: " in capsys.readouterr().err
    assert json.loads((tmp_path / "shards/merged/report.json").read_text())["frames_out"] == 1


def test_evaluate_bag_annotations_by_order_of_a_recording_with_a_lost_file_are_refused(model, tmp_path, capfd):
    """The frames behind the loss would be measured against the images of earlier ones."""
    bag = Bags(tmp_path).camera(3)
    (bag / "metadata.yaml").unlink()
    (bag / "bag_1.mcap").touch()
    images = [{"id": index, "file_name": f"{index}.png", "height": 12, "width": 18} for index in range(3)]
    category = {"id": 1, "name": "car"}
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"images": images, "annotations": [], "categories": [category]}))
    command = ["evaluate-bag", bag, "--annotations", truth, "--checkpoint", model, "--out", tmp_path / "out"]
    assert main([str(argument) for argument in command]) == 2
    said = "its images need a stamp_ns each, as frames are lost (bag/bag_1.mcap: cannot be read (an empty file))"
    assert said in capfd.readouterr().err


def test_evaluate_bag_lost_file_gives_status_2_and_is_in_the_report_of_every_shard(command, tmp_path, capsys):
    (tmp_path / "bag/bag_1.mcap").write_bytes(b"")
    said = "fcis: bag/bag_1.mcap: cannot be read (an empty file)"
    shards = [[*command, str(tmp_path / "shards"), "--shard", f"{number}/2"] for number in (1, 2)]
    for arguments in ([*command, str(tmp_path / "out")], *shards, ["evaluate-merge", str(tmp_path / "shards")]):
        assert main(arguments) == 2
        assert capsys.readouterr().err.splitlines()[-1] == said
    reports = [json.loads((tmp_path / folder / "report.json").read_text()) for folder in ("out", "shards/merged")]
    assert reports[0] == reports[1] and reports[0]["complete"] and reports[0]["frames_out"] == 2
    assert reports[0]["findings"] == [{"source": "bag/bag_1.mcap", "text": "cannot be read (an empty file)", "lost": True}]


@pytest.mark.parametrize("options", [[], ["--annotations"]])
def test_evaluate_bag_no_usable_frame_gives_the_reason(command, annotations, tmp_path, capsys, options):
    (bag := Bags(tmp_path)).write(
        [("/cam", COMPRESSED, bag.compressed(b"\0\0\0\1gBC", "h264"), bag.START + i) for i in range(2)], name="video"
    )
    options = [*options, str(annotations)] if options else []
    assert main(["evaluate-bag", str(tmp_path / "video"), *command[2:], str(tmp_path / "out"), *options]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fcis:")]
    assert "none of 2 frames can be used; the first: frame 000000 of /cam: " in line and "h264" in line


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
