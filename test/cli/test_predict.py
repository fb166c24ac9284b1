# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``fcis predict``: pictures, and results as COCO has them."""

import errno
import json
from pathlib import Path

import cv2
from cli_inputs import refused
from pycocotools.coco import COCO

from fcis_ros.cli.main import main


def test_predict_writes_results_and_overlays(model, images, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["predict", str(images), "--out", str(out), "--checkpoint", str(model), "--min-score", "0"]) == 0
    pictures = ["a.png.overlay.jpg", "b.png.overlay.jpg"]
    assert sorted(path.name for path in out.iterdir()) == [*pictures, "images.json", "results.json"]
    assert cv2.imread(str(out / "a.png.overlay.jpg")).shape == (48, 64, 3)
    listed = json.loads((out / "images.json").read_text())
    assert [(image["id"], image["file_name"]) for image in listed["images"]] == [(1, "a.png"), (2, "b.png")]
    results = json.loads((out / "results.json").read_text())
    assert {result["image_id"] for result in results} == {1, 2}  # the untrained network finds something everywhere
    for result in results:
        assert set(result) == {"image_id", "category_id", "segmentation", "bbox", "score"}
    assert str(out) in capsys.readouterr().out


def test_predict_annotations_give_the_ids(model, images, annotations, tmp_path):
    out = tmp_path / "out"
    arguments = ["predict", images / "b.png", "--annotations", annotations, "--out", out, "--checkpoint", model]
    assert main([str(argument) for argument in [*arguments, "--min-score", 0]]) == 0
    results = json.loads((out / "results.json").read_text())
    assert {result["image_id"] for result in results} == {3} and {result["category_id"] for result in results} <= {5, 2}
    assert len(COCO(str(annotations)).loadRes(str(out / "results.json")).getAnnIds()) == len(results)


def test_predict_unusable_images_or_folder_are_refused(model, images, annotations, tmp_path, capfd):
    command = ["predict", "--checkpoint", model, "--out"]
    refused(capfd, [*command, images, images], "not an earlier result")
    refused(capfd, [*command, tmp_path / "out", images, images / "a.png"], "a.png", "same file name")
    others = tmp_path / "others"
    others.mkdir()
    for name in ("y.png", "z.png"):
        (others / name).write_bytes((images / "a.png").read_bytes())
    refused(capfd, [*command, tmp_path / "out", others, "--annotations", annotations], "y.png", "annotations", "none of the 2")
    for path in others.iterdir():
        path.write_bytes(b"broken")
    refused(capfd, [*command, tmp_path / "out", others], "none of 2 images", "y.png")
    refused(capfd, [*command, tmp_path / "out", tmp_path / "missing.png"], "missing.png: no such image file")
    assert not list(tmp_path.glob("out*")) and len(list(images.iterdir())) == 2


def test_predict_some_unusable_images_are_left_out_and_named(model, images, tmp_path, capfd):
    (images / "c.png").write_bytes(b"broken")
    (images / "d.heic").write_bytes(b"-")
    (images / "._a.png").write_bytes(b"AppleDouble")
    out = tmp_path / "out"
    assert main(["predict", str(images), "--out", str(out), "--checkpoint", str(model)]) == 2
    said = capfd.readouterr()
    assert [line for line in said.err.splitlines() if line.startswith("fcis: ")] == [
        "fcis: images: 1 image: .heic is not read: d.heic",
        "fcis: images: 1 image: not an image that can be decoded: c.png",
    ]
    assert "instances in 2 of 3 images" in said.out
    assert [image["file_name"] for image in json.loads((out / "images.json").read_text())["images"]] == ["a.png", "b.png"]


def test_predict_images_without_annotations_are_left_out_and_named(model, images, annotations, tmp_path, capfd):
    """One that is listed nowhere, and one that is taken for an image which is there."""
    for name in ("a.jpg", "z.png"):
        cv2.imwrite(str(images / name), cv2.imread(str(images / "a.png")))
    command = [
        "predict",
        images / "a.png",
        images,
        "--annotations",
        annotations,
        "--out",
        tmp_path / "out",
        "--checkpoint",
        model,
    ]
    refused(capfd, command, "another image has the same file name")
    del command[1]
    assert main([str(argument) for argument in command]) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("fcis: images: ")]
    assert lines[1:] == ["fcis: images: 1 image: not among the images of the annotations: z.png"]
    assert "the same image of the annotations as a." in lines[0]
    listed = json.loads((tmp_path / "out/images.json").read_text())["images"]
    assert sorted(image["id"] for image in listed) == [3, 7]


def test_predict_full_disk_ends_in_one_line(model, images, tmp_path, capfd, monkeypatch):
    def write_bytes(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    assert main(["predict", str(images), "--out", str(tmp_path / "out"), "--checkpoint", str(model)]) == 2
    assert capfd.readouterr().err.splitlines()[-1] == f"fcis: {tmp_path / 'out'}: cannot be written (No space left on device)"
    assert not list(tmp_path.glob("out*"))
