# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The same images and annotations through every command that reads them: the AP is equal to the last digit."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fcis_ros.cli.main import main
from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.model import checkpoint
from fcis_ros.training.distributed import ALONE
from fcis_ros.training.loop import measure_held_out

NAMES = ("car", "pedestrian", "bicyclist")
SIZE = {"height": 48, "width": 64}


def run(*arguments) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def figures(folder: Path) -> dict:
    ap = json.loads((folder / "report.json").read_text())["ap"]
    return {**ap, "segm": {name: ap["segm"][name] for name in ("AP", "AP50", "AP75")}}


@pytest.fixture
def truth(model, images, tmp_path) -> dict:
    """Some of the model's results that do not overlap are the objects, and one that it does not find."""
    run("predict", images, "--out", tmp_path / "found", "--checkpoint", model, "--precision", "fp32")
    results = json.loads((tmp_path / "found/results.json").read_text())
    annotations = []
    for number in (1, 2):
        free = np.ones((48, 64), bool)
        free[:4, :4] = False
        for result in sorted((r for r in results if r["image_id"] == number), key=lambda r: -r["score"])[1::2]:
            mask = coco_mask.decode(result["segmentation"]).astype(bool)
            if 12 < mask.sum() < 1000 and free[mask].all():
                free &= ~mask
                annotations.append(object_of(number, result["category_id"], mask))
        missed = np.zeros((48, 64), bool)
        missed[:4, :4] = True
        annotations.append(object_of(number, 1, missed))
    assert len(annotations) >= 5
    listed = [{"id": number, "file_name": name, **SIZE} for number, name in ((1, "a.png"), (2, "b.png"))]
    categories = [{"id": number, "name": name} for number, name in enumerate(NAMES, start=1)]
    return {"images": listed, "annotations": annotations, "categories": categories}


def object_of(image_id: int, category_id: int, mask: np.ndarray) -> dict:
    encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    segmentation = {"size": [48, 64], "counts": encoded["counts"].decode()}
    measures = {"bbox": coco_mask.toBbox(encoded).tolist(), "area": int(mask.sum())}
    return {"image_id": image_id, "category_id": category_id, "segmentation": segmentation, **measures}


def as_other_tools_write_it(truth: dict) -> dict:
    """A merged export with a root category: each image twice, with half of its objects, names and paths of other systems."""
    twice = [{**entry, "id": entry["id"] + 10, "file_name": f"C:\\set\\{entry['file_name']}"} for entry in truth["images"]]
    first = [{**entry, "file_name": f"C:\\set\\{entry['file_name']}"} for entry in truth["images"]]
    annotations = [
        {**entry, "image_id": entry["image_id"] + 10 * (index % 2), "category_id": entry["category_id"] * 7}
        for index, entry in enumerate(truth["annotations"])
    ]
    names = [{"id": 7 * number, "name": f" {name.title()}\u00a0"} for number, name in enumerate(NAMES, start=1)]
    return {"images": first + twice, "annotations": annotations, "categories": [{"id": 0, "name": "car"}, *names]}


def write_voc(folder: Path, truth: dict, images: Path) -> None:
    """Writes the objects as maps of labelme."""
    for name in ("JPEGImages", "SegmentationObject", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    (folder / "class_names.txt").write_text("\n".join(["__ignore__", "_background_", *NAMES]))
    (folder / "ImageSets/Segmentation/val.txt").write_text("a\nb\n")
    for entry in truth["images"]:
        stem = Path(entry["file_name"]).stem
        (folder / f"JPEGImages/{stem}.png").write_bytes((images / entry["file_name"]).read_bytes())
        objects, classes = np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.uint8)
        for value, annotation in enumerate((a for a in truth["annotations"] if a["image_id"] == entry["id"]), start=1):
            mask = coco_mask.decode(annotation["segmentation"]).astype(bool)
            objects[mask], classes[mask] = value, annotation["category_id"]
        cv2.imwrite(str(folder / f"SegmentationObject/{stem}.png"), objects)
        cv2.imwrite(str(folder / f"SegmentationClass/{stem}.png"), classes)


def pycocotools_ap(truth: dict, results: Path) -> dict:
    """The AP of results.json against the plain annotations, over all areas."""
    coco = COCO()
    coco.dataset = {**truth, "annotations": [{**a, "id": i, "iscrowd": 0} for i, a in enumerate(truth["annotations"], start=1)]}
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes([{**r, "bbox": []} for r in json.loads(results.read_text())]), "segm")
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][..., -1]  # [IoU, recall, class, area]
    parts = {"AP": precision, "AP50": precision[0], "AP75": precision[5]}
    return {name: values[values > -1].mean() for name, values in parts.items()}


@pytest.mark.parametrize("change", [dict, as_other_tools_write_it], ids=["plain", "as other tools write it"])
def test_commands_same_truth_gives_the_same_ap(change, truth, model, images, tmp_path):
    annotations = tmp_path / "truth.json"
    annotations.write_text(json.dumps(change(truth)), encoding="utf-8-sig")
    options = ("--checkpoint", model, "--device", "cpu", "--precision", "fp32")
    run("evaluate", "--annotations", annotations, "--images", images, "--out", tmp_path / "evaluate", *options)
    expected = figures(tmp_path / "evaluate")
    assert 0 < expected["segm"]["AP"] < 1 and 0 < expected["bbox"]["AP"] < 1

    run("record", images, "--annotations", annotations, "--out", tmp_path / "bag")
    run("evaluate-bag", tmp_path / "bag", "--annotations", annotations, "--out", tmp_path / "by_file", *options)
    run("evaluate-bag", tmp_path / "bag", "--truth-topic", "/truth/masks", "--out", tmp_path / "by_topic", *options)
    assert figures(tmp_path / "by_file") == figures(tmp_path / "by_topic") == expected

    trained_on = CocoDataset(annotations, images, NAMES)
    held_out = measure_held_out(checkpoint.load(model), trained_on, torch.device("cpu"), ALONE)
    assert {name: held_out[name] for name in expected["segm"]} == expected["segm"]

    write_voc(tmp_path / "voc", truth, images)
    run("convert", "voc", tmp_path / "voc", tmp_path / "voc.json", "--split", "val")
    voc = ("--annotations", tmp_path / "voc.json", "--images", tmp_path / "voc")
    run("evaluate", *voc, "--out", tmp_path / "converted", *options)
    assert figures(tmp_path / "converted") == expected

    run("predict", images, "--annotations", annotations, "--out", tmp_path / "predicted", "--min-score", "0", *options)
    results = json.loads((tmp_path / "predicted/results.json").read_text())
    ids = {category["id"]: number for number, category in enumerate(change(truth)["categories"][-3:], start=1)}
    plain = [{**result, "category_id": ids[result["category_id"]]} for result in results]
    (tmp_path / "plain.json").write_text(json.dumps(plain))
    assert pycocotools_ap(truth, tmp_path / "plain.json") == pytest.approx(expected["segm"], rel=1e-12)
