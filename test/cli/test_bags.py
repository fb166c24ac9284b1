# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``fcis record`` and ``fcis evaluate-bag``."""

import json

from cli_inputs import write_annotations

from fcis_ros.cli.main import main


def test_evaluate_bag(model, images, annotations, tmp_path, capsys):
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


def test_record(images, annotations, model, tmp_path, capsys):
    """What is recorded with truth is evaluated against it as against the annotations."""
    bag = str(tmp_path / "bag")
    assert main(["record", str(images), "--annotations", str(annotations), "--out", bag]) == 0
    assert "2 frames with truth" in capsys.readouterr().out
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
