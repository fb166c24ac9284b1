# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The same pictures and annotations through every command that measures: equal figures, to the last digit."""

import json

import cv2
import numpy as np
import pytest
from pictures import encoded, tiff, turned_jpeg
from pycocotools import mask as coco_mask
from recordings import Bags

from fcis_ros.cli.main import main
from fcis_ros.data.synthetic.scenes import CLASS_NAMES, SyntheticScenes
from fcis_ros.messages.typestore import COMPRESSED, NAMES_TOPIC, STRING
from fcis_ros.model.checkpoint import default_checkpoint

WEIGHTS = default_checkpoint().with_name("fcis_road_r18.safetensors")


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """Rendered streets: as a 12-bit PNG, a JPEG and a TIFF that viewers turn, a JPEG in a padded buffer; with annotations."""
    folder = tmp_path_factory.mktemp("streets")
    (folder / "images").mkdir()
    samples = [SyntheticScenes(3, 240, 320).sample(index) for index in range(4)]
    rgb = [sample.image for sample in samples]
    pictures = {
        "deep.png": cv2.imencode(".png", rgb[0][..., ::-1].astype(np.uint16) << 4)[1].tobytes(),
        "turned.jpg": turned_jpeg(3, encoded("jpg", rgb[1])),
        "turned.tiff": tiff([rgb[2]], orientation=2),
        "padded.jpg": encoded("jpg", rgb[3]) + bytes(9000),
    }
    content = {
        "images": [],
        "annotations": [],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASS_NAMES, 1)],
    }
    for number, (name, sample) in enumerate(zip(pictures, samples, strict=True), start=1):
        (folder / "images" / name).write_bytes(pictures[name])
        content["images"].append({"id": number, "file_name": name, "height": 240, "width": 320})
        for mask, label in zip(sample.masks, sample.labels, strict=True):
            encoded_mask = coco_mask.encode(np.asfortranarray(mask, np.uint8))
            segmentation = {"size": [240, 320], "counts": encoded_mask["counts"].decode()}
            entry = {"id": len(content["annotations"]) + 1, "image_id": number, "category_id": int(label), "iscrowd": 0}
            content["annotations"].append({**entry, "segmentation": segmentation})
    (folder / "truth.json").write_text(json.dumps(content))
    return folder


def ap(command, out):
    arguments = [*command, "--checkpoint", WEIGHTS, "--device", "cpu", "--out", out]
    assert main([str(argument) for argument in arguments]) == 0
    return json.loads((out / "report.json").read_text())["ap"]


def test_evaluations_of_one_set_of_pictures_are_equal(streets, tmp_path):
    """Recordings are evaluated from a score of 0.02 on: the model knows rendered streets and finds no object below."""
    truth = ["--annotations", streets / "truth.json"]
    files = ap(["evaluate", "--images", streets / "images", *truth], tmp_path / "files")
    remarks = json.loads((tmp_path / "files/report.json").read_text())["findings"]
    assert "2 images: used as stored" in remarks[-1]["text"]
    assert files["segm"]["AP"] > 0.1  # the model sees streets, not black or turned pictures
    assert main(["record", str(streets / "images"), "--annotations", str(truth[1]), "--out", str(tmp_path / "raw")]) == 0
    bags, entries = Bags(tmp_path), []
    for number, path in enumerate(sorted((streets / "images").iterdir())):
        stamp = bags.START + number * 10**8
        entries.append((NAMES_TOPIC, STRING, bags.text(path.name), stamp))
        entries.append(("/camera/compressed", COMPRESSED, bags.compressed(path.read_bytes(), path.suffix[1:], stamp), stamp))
    bags.write(entries, "compressed")
    for bag in ("raw", "compressed"):
        assert ap(["evaluate-bag", tmp_path / bag, *truth], tmp_path / f"{bag} file") == files
    assert ap(["evaluate-bag", tmp_path / "raw", "--truth-topic", "/truth/masks"], tmp_path / "raw topic") == files
