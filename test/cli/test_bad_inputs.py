# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One clear line for every kind of bad input, from every command that reads it, and nothing written."""

import itertools
import json

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
from cli_inputs import CONFIG, damaged, refused, write_annotations

KINDS = ["missing", "damaged", "version", "foreign", "classes"]


@pytest.mark.parametrize(
    ("command", "kind"),
    [*itertools.product(["predict", "evaluate", "demo"], KINDS), *itertools.product(["info"], KINDS[:-1])],  # metadata alone
)
def test_commands_unusable_checkpoint_is_named(command, kind, model, images, annotations, tmp_path, capfd):
    path = tmp_path / f"{kind}.safetensors"
    says = {"missing": "no such file", "damaged": "not a readable safetensors", "version": "format version 99",
            "classes": "classes", "foreign": "not an fcis_ros checkpoint"}[kind]  # fmt: skip
    if kind == "damaged":
        path.write_bytes(model.read_bytes()[:1000])
    elif kind == "version":
        damaged(model, path, format_version="99")
    elif kind == "classes":
        config = json.dumps({**CONFIG.to_dict(), "class_names": ["car", "pedestrian", "tram", "van"]})
        damaged(model, path, config=config)
    elif kind == "foreign":
        safetensors.torch.save_file({"x": torch.zeros(1)}, path)
    out = tmp_path / "out"
    arguments = {
        "info": ["info", path],
        "predict": ["predict", images, "--out", out, "--checkpoint", path],
        "evaluate": ["evaluate", "--annotations", annotations, "--images", images, "--checkpoint", path, "--out", out],
        "demo": ["demo", images, "--out", out, "--checkpoint", path],
    }[command]
    refused(capfd, arguments, path.name, says)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("command", ["predict", pytest.param("demo", marks=pytest.mark.ros)])
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.png", None, "no such"),
        ("empty", "folder", "no images"),
        ("text.png", b"hello", "not an image"),
        ("nothing.png", b"", "not an image"),
        ("dot.png", (1, 1), "too small"),
        ("line.png", (2, 300), "too elongated"),
    ],
)
def test_predict_unusable_image_is_named(command, name, content, says, model, tmp_path, capfd):
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        cv2.imwrite(str(path), np.zeros((*content, 3), np.uint8))
    refused(capfd, [command, path, "--out", tmp_path / "out", "--checkpoint", model], name, says)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"categories": [{"id": 5, "name": "boat"}, {"id": 2, "name": "plane"}]}, "plane, boat"),
        ({"images": []}, "not listed"),
        ({"annotations": 3}, "not a COCO instance file"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "predict", "demo"])
def test_commands_unfitting_annotations_are_named(command, changes, says, model, images, tmp_path, capfd):
    path = write_annotations(tmp_path / "other.json", **changes)
    rest = ["--images", images] if command == "evaluate" else [images, "--out", tmp_path / "out"]
    refused(capfd, [command, *rest, "--annotations", path, "--checkpoint", model], "other.json", says)
    assert not list(tmp_path.glob("out*"))


LONG = "n" * 244  # bytes of a file's name; with an ending of twelve it is too long


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["predict", f"{LONG}.png", "--out", "out", "--checkpoint", "{model}"], "its name is too long for that of its overlay"),
        (["record", "synthetic", "--frames", "1", "--out", 2 * LONG], "File name too long"),
        (["convert", "cityscapes", "data", f"{2 * LONG}.json"], "File name too long"),
        (["convert", "cityscapes", "data", "read_only.json"], "read_only.json: cannot be written"),
        (["report", "out", "--baseline", 2 * LONG], f"{2 * LONG}: File name too long"),
    ],
)
def test_commands_unusable_output_name_is_one_line(arguments, says, model, tmp_path, capfd, monkeypatch):
    for name in ("gtFine/train/city/a_gtFine_instanceIds.png", "leftImg8bit/train/city/a_leftImg8bit.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "data" / name), np.zeros((4, 6), np.uint16))
    cv2.imwrite(str(tmp_path / f"{LONG}.png"), np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "read_only.json").mkdir()
    monkeypatch.chdir(tmp_path)
    refused(capfd, [argument.format(model=model) for argument in arguments], says)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", f"{LONG}.png", "read_only.json"]
