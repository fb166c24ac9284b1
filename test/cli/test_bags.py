# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``fcis record`` and ``fcis evaluate-bag``."""

import json

from cli_inputs import write_annotations

from fcis_ros.cli.main import main


def test_evaluate_bag_recording_writes_the_report(model, images, annotations, tmp_path, capsys):
    from fcis_ros.bags.writer import record
    from fcis_ros.data.frame_sources import open_source

    record(open_source(str(images)).frames(), tmp_path / "bag")
    command = ["evaluate-bag", str(tmp_path / "bag"), "--checkpoint", str(model), "--device", "cpu", "--out"]
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


def test_record_images_writes_a_recording(images, annotations, model, tmp_path, capsys):
    """What is recorded with truth is evaluated against it as against the annotations."""
    bag = str(tmp_path / "bag")
    assert main(["record", str(images), "--annotations", str(annotations), "--out", bag]) == 0
    assert "2 frames with ground truth" in capsys.readouterr().out
    command = ["evaluate-bag", bag, "--checkpoint", str(model), "--device", "cpu", "--out"]
    assert main([*command, str(tmp_path / "topic"), "--truth-topic", "/truth/masks"]) == 0
    assert main([*command, str(tmp_path / "file"), "--annotations", str(annotations)]) == 0
    assert main(["report", str(tmp_path / "file"), "--results"]) == 0
    results = ["evaluate-bag", str(tmp_path / "file/results"), "--checkpoint", str(model)]
    assert main([*results, "--out", str(tmp_path / "again")]) == 0  # its overlays are images, too
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("topic", "file")]
    assert reports[0]["ap"] == reports[1]["ap"] and reports[0]["frames_annotated"] == 2
    others = write_annotations(tmp_path / "others.json", images=[], annotations=[])
    assert main(["record", str(images), "--annotations", str(others), "--out", str(tmp_path / "other")]) == 2
    assert "none of the 0 file names in it" in capsys.readouterr().err and not (tmp_path / "other").exists()
    assert main(["record", "synthetic", "--frames", "2", "--out", str(tmp_path / "clip")]) == 0


def test_record_folder_with_another_recording_is_refused(images, tmp_path, capsys):
    """An earlier clip is replaced; other recordings, and clips with further files, are kept."""
    bag, command = tmp_path / "bag", ["record", str(images), "--out", str(tmp_path / "bag")]
    assert main(command) == main(command) == 0
    (bag / "notes.txt").touch()
    assert main(command) == 2 and (bag / "notes.txt").exists()
    (bag / "notes.txt").unlink()
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("/frame_names", "/other_names"))
    before = {file.name: file.read_bytes() for file in bag.iterdir()}
    assert main(command) == 2 and {file.name: file.read_bytes() for file in bag.iterdir()} == before
    assert capsys.readouterr().err.count("exists and is not an earlier result") == 2


def test_evaluate_bag_shard_into_folder_of_whole_evaluation_is_refused(model, images, annotations, tmp_path, capsys):
    bag, out = str(tmp_path / "bag"), tmp_path / "out"
    assert main(["record", str(images), "--out", bag]) == 0
    command = ["evaluate-bag", bag, "--checkpoint", str(model), "--device", "cpu", "--out", str(out)]
    assert main(command) == 0
    assert main([*command, "--shard", "1/2"]) == 2 and not (out / "part-1-of-2").exists()
    assert "holds an evaluation without shards" in capsys.readouterr().err
    evaluate = ["evaluate", "--annotations", str(annotations), "--images", str(images), "--checkpoint", str(model)]
    assert main([*evaluate, "--device", "cpu", "--out", str(out)]) == 2 and (out / "frames.jsonl").exists()
    assert "holds an evaluation of recordings" in capsys.readouterr().err
    assert main(["evaluate-bag", bag, "--checkpoint", str(model), "--out", str(out / "x"), "--shard", "1/2"]) == 0
    (out / "x/part-1-of-2").rename(out / "part-1-of-2")
    assert main(["evaluate-merge", str(out)]) == 2
    assert "holds an evaluation and shards of another" in capsys.readouterr().err


def test_main_stale_operators_are_named_in_one_line(monkeypatch, capsys):
    from fcis_ros.cli import info
    from fcis_ros.errors import OperatorsError

    def run(arguments):
        raise OperatorsError("_C.so was built from other sources; build it again: `make setup`")

    monkeypatch.setattr(info, "run", run)
    assert main(["info"]) == 2
    assert capsys.readouterr().err == "fcis: _C.so was built from other sources; build it again: `make setup`\n"
