# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The ladder's data, configurations and counts, on inputs that a reader can check."""

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from experiments.ladder.data import write_splits
from experiments.ladder.figures import matched
from experiments.ladder.rungs import RUNGS, settings
from fcis_ros.training.train_config import TrainConfig

RECIPE = TrainConfig.read(Path(__file__).parents[2] / "config" / "train_road.json").to_dict()


@pytest.mark.parametrize("name", RUNGS)
def test_settings_every_rung_is_a_valid_configuration_with_anchors_of_equal_pixels(name):
    config = TrainConfig.from_dict(json.loads(json.dumps(settings(RECIPE, RUNGS[name], steps=10, seed=3))))
    assert (config.steps, config.seed) == (10, 3)
    sides = [scale * config.model.stride / config.model.short_side for scale in config.model.anchor_scales]
    assert sides == pytest.approx([0.037, 0.074, 0.148, 0.296], rel=0.02)  # of the image's short side


def annotation(number: int, image: int, category: int, area: float = 400, crowd: int = 0) -> dict:
    box = {"bbox": [0, 0, 20, 20], "segmentation": [[0, 0, 20, 0, 20, 20]]}
    return {"id": number, "image_id": image, "category_id": category, "area": area, "iscrowd": crowd, **box}


def test_write_splits_holds_one_drive_out_and_adds_photos_of_persons(tmp_path):
    names = ["0001TP_1.jpg", "0006R0_2.jpg", "0016E5_3.jpg"]
    frames = {
        "images": [{"id": index, "file_name": name, "height": 360, "width": 480} for index, name in enumerate(names)],
        "annotations": [annotation(index, index, 1) for index in range(3)],
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "pedestrian"}, {"id": 3, "name": "bicyclist"}],
    }
    photos = {
        "images": [{"id": index, "file_name": f"{index}.jpg", "height": 50, "width": 50} for index in (7, 8)],
        "annotations": [annotation(1, 7, 44), annotation(2, 7, 44, area=9), annotation(3, 7, 46), annotation(4, 8, 45)],
        "categories": [{"id": 44, "name": "person"}, {"id": 45, "name": "cat"}, {"id": 46, "name": "bicycle"}],
    }
    for folder, content in (("camvid", frames), ("coco100", photos)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "instances_train.json").write_text(json.dumps(content))
    write_splits(tmp_path / "camvid", tmp_path / "coco100", tmp_path)
    written = ("held_out", "train", "train_with_photos", "train_with_all_photos", "road")
    held, train, joined, every, road = (json.loads((tmp_path / f"{name}.json").read_text()) for name in written)
    assert [image["file_name"] for image in held["images"]] == ["camvid/train/0006R0_2.jpg"]
    assert [image["file_name"] for image in train["images"]] == [f"camvid/train/{names[0]}", f"camvid/train/{names[2]}"]
    assert [image["file_name"] for image in joined["images"][2:]] == ["coco100/train/7.jpg"]
    added = [(a["category_id"], a["iscrowd"]) for a in joined["annotations"] if a["image_id"] == joined["images"][2]["id"]]
    assert added == [(2, 0), (2, 1), (1, 1)]  # the small person and the bicycle are neither object nor background
    assert [image["file_name"] for image in every["images"][2:]] == ["coco100/train/7.jpg", "coco100/train/8.jpg"]
    assert len(every["annotations"]) == len(joined["annotations"]) == 5 and len(road["annotations"]) == 6
    assert [image["file_name"] for image in road["images"]][1::2] == [f"camvid/train/{names[1]}", "coco100/train/7.jpg"]


def test_matched_needs_the_class_or_a_crowd_region():
    def of(columns: slice, label: int, crowd: int = 0) -> dict:
        mask = np.zeros((10, 10), np.uint8, order="F")
        mask[:, columns] = 1
        return {"segmentation": coco_mask.encode(mask), "category_id": label, "iscrowd": crowd}

    objects = [of(slice(0, 4), 1), of(slice(6, 10), 2, crowd=1)]
    results = [of(slice(0, 2), 1), of(slice(0, 4), 2), of(slice(0, 1), 1), of(slice(7, 9), 1)]
    assert matched(results, objects).tolist() == [True, False, False, True]
    assert matched(results, []).tolist() == [False] * 4
