# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``fcis evaluate``: the AP that pycocotools finds, in a report."""

import json

import pytest
from cli_inputs import refused, write_annotations
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fcis_ros.cli.main import main


def test_evaluate_annotated_images_prints_and_writes_the_report(model, images, annotations, tmp_path, capsys):
    """Truth is every other of the cars that the model predicts, and one that it does not: pycocotools agrees on the AP."""
    options = ["--annotations", str(annotations), "--checkpoint", str(model), "--precision", "fp32"]
    assert main(["predict", str(images), "--out", str(tmp_path / "predicted"), *options]) == 0
    results = json.loads((tmp_path / "predicted/results.json").read_text())
    truth = [result for result in results if result["category_id"] == 5][1::2]
    assert len(truth) > 1
    missed = {"image_id": 3, "category_id": 5, "bbox": [0, 0, 3, 3], "segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]]}
    objects = [{**entry, "id": i, "iscrowd": 0, "area": 9} for i, entry in enumerate([*truth, missed], start=1)]
    write_annotations(annotations, annotations=objects)
    out = tmp_path / "report"
    command = ["evaluate", "--images", str(images), "--out", str(out), *options]
    assert main(command) == 0
    said = capsys.readouterr().out
    result = json.loads((out / "report.json").read_text())
    assert result["frames_in"] == result["frames_out"] == 2 and result["fps"] > 0
    assert {path.name for path in out.iterdir()} == {"report.json", "report.html"}
    coco = COCO(str(annotations))
    evaluation = COCOeval(coco, coco.loadRes([{**result, "bbox": []} for result in results]), "segm")
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][..., -1]  # [IoU, recall, class, area]
    for name, thresholds in (("AP", slice(None)), ("AP50", 0), ("AP75", 5)):
        values = precision[thresholds]
        assert result["ap"]["segm"][name] == pytest.approx(values[values > -1].mean(), abs=1e-6), name
    assert 0 < result["ap"]["segm"]["AP"] < 1
    assert result["ap"]["per_class"]["pedestrian"] is None
    assert f"{result['ap']['segm']['AP']:.3f}" in said and "car" in said
    assert said.splitlines()[-1] == f"-> {out / 'report.html'}"
    page = (out / "report.html").read_text()
    assert "a.png" in page and "data:image/jpeg;base64," in page
    assert main([*command, "--score", "0.01"]) == 0  # an earlier result is replaced
    assert json.loads((out / "report.json").read_text())["score"] == 0.01


def test_evaluate_unusable_folder_or_image_is_refused(model, images, annotations, capfd):
    command = ["evaluate", "--images", images, "--annotations", annotations, "--checkpoint", model]
    refused(capfd, [*command, "--out", images], "not an earlier result")
    assert len(list(images.iterdir())) == 2
    for name in ("a.png", "b.png"):
        (images / name).unlink()
    refused(capfd, command, "2 of 2 images cannot be used", "b.png (no such image file)")


def test_evaluate_unusable_image_is_named_and_the_others_are_measured(model, images, annotations, tmp_path, capfd):
    out = tmp_path / "out"
    command = ["evaluate", "--images", images, "--annotations", annotations, "--checkpoint", model, "--out", out]
    assert main(list(map(str, command))) == 0
    (images / "b.png").write_bytes(b"cut")
    capfd.readouterr()
    assert main(list(map(str, command))) == 2
    captured = capfd.readouterr()
    assert captured.err.splitlines()[-1].startswith("fcis: images: 1 of 2 images cannot be used: b.png (not an image")
    assert f"-> {out / 'report.html'}" in captured.out
    report = json.loads((out / "report.json").read_text())
    assert report["frames_in"] == 1 and [finding["lost"] for finding in report["findings"]][-1]
