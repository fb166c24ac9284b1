# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``fcis evaluate``: the AP that pycocotools finds, in a report."""

import json

import cv2
import numpy as np
import pytest
from cli_inputs import refused, write_annotations
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fcis_ros import Predictor
from fcis_ros.cli.main import main


def coco_results(model, images) -> list[dict]:
    """What the model says about the two images, as pycocotools takes it; classes have the numbers of the annotations."""
    predictor = Predictor.from_checkpoint(model, "cpu", precision="fp32")
    results = []
    for number, name in ((7, "a.png"), (3, "b.png")):
        found = predictor(cv2.imread(str(images / name))[..., ::-1].copy())
        for mask, label, score in zip(found.masks, found.labels, found.scores, strict=True):
            if label < 3:  # the annotations know no bicyclists
                encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
                results.append({"image_id": number, "category_id": {1: 5, 2: 2}[int(label)], "score": float(score),
                                "segmentation": encoded, "area": float(mask.sum())})  # fmt: skip
    return results


def test_evaluate_annotated_images_prints_and_writes_the_report(model, images, tmp_path, capsys):
    """Truth is every other of the cars that the model finds, and one that it cannot: pycocotools agrees on the AP."""
    results = coco_results(model, images)
    truth = [dict(result) for result in results if result["category_id"] == 5][1::2]
    assert len(truth) > 1
    for number, entry in enumerate(truth, start=1):
        mask = coco_mask.decode(entry["segmentation"])
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), columns.max() - columns.min() + 1, rows.max() - rows.min() + 1]
        counts = entry["segmentation"]["counts"].decode()
        entry |= {"id": number, "iscrowd": 0, "bbox": [int(value) for value in box]}
        entry["segmentation"] = {"size": [48, 64], "counts": counts}
        del entry["score"]
    missed = {"id": 99, "image_id": 3, "category_id": 5, "iscrowd": 0, "bbox": [0, 0, 3, 3], "area": 9,
              "segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]]}  # fmt: skip
    annotations = write_annotations(tmp_path / "truth.json", annotations=[*truth, missed])

    out = tmp_path / "report"
    arguments = ["evaluate", "--annotations", annotations, "--images", images, "--checkpoint", model, "--out", out]
    assert main([*map(str, arguments), "--precision", "fp32"]) == 0
    said = capsys.readouterr().out
    result = json.loads((out / "report.json").read_text())
    assert result["frames_in"] == result["frames_out"] == 2 and result["fps"] > 0
    assert {path.name for path in out.iterdir()} == {"report.json", "report.html"}
    coco = COCO(str(annotations))
    evaluation = COCOeval(coco, coco.loadRes(results), "segm")
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
    assert main([*map(str, arguments), "--precision", "fp32", "--score", "0.01"]) == 0  # an earlier result is replaced
    assert json.loads((out / "report.json").read_text())["score"] == 0.01


def test_evaluate_unusable_folder_or_image_is_refused(model, images, annotations, capfd):
    command = ["evaluate", "--images", images, "--annotations", annotations, "--checkpoint", model]
    refused(capfd, [*command, "--out", images], "not an earlier result")
    assert len(list(images.iterdir())) == 2
    (images / "b.png").unlink()
    refused(capfd, command, "b.png", "no such image")
