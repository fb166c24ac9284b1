# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writes the training data of the default checkpoint and of the ladder: CamVid's train frames and COCO's photos."""

import argparse
import json
from pathlib import Path
from typing import Any

from fcis_ros.files import atomic_path

HELD_OUT = "0006R0"
PHOTO_CLASSES = {"car": "car", "person": "pedestrian"}  # COCO annotates rider and bicycle apart: no bicyclists
TOO_SMALL = 100  # square pixels; such objects of a photo are neither objects nor background


def write_splits(camvid: Path, photos: Path, out: Path) -> None:
    """Writes annotation files to ``out``; their file names are relative to the folder that holds ``camvid`` and ``photos``.

    ``held_out.json`` has the drive ``HELD_OUT``, ``train.json`` the others. ``train_with_photos.json`` adds the photos of cars
    and persons, ``train_with_all_photos.json`` all photos. ``road.json`` has all drives and all photos, for the default
    checkpoint.
    """
    frames = _prefixed(json.loads((camvid / "instances_train.json").read_text()), f"{camvid.name}/train")
    held = {image["id"] for image in frames["images"] if HELD_OUT in image["file_name"]}
    train = _chosen(frames, lambda identifier: identifier not in held)
    _write(out / "train.json", train)
    _write(out / "held_out.json", _chosen(frames, lambda identifier: identifier in held))
    if photos.is_dir():
        every = _photos(photos)
        used = {annotation["image_id"] for annotation in every["annotations"] if not annotation["iscrowd"]}
        _write(out / "train_with_photos.json", _joined(train, _chosen(every, used.__contains__)))
        _write(out / "train_with_all_photos.json", _joined(train, every))
        _write(out / "road.json", _joined(frames, every))


def _prefixed(coco: dict[str, Any], folder: str) -> dict[str, Any]:
    images = [{**image, "file_name": f"{folder}/{image['file_name']}"} for image in coco["images"]]
    return {**coco, "images": images}


def _chosen(coco: dict[str, Any], holds: Any) -> dict[str, Any]:
    images = [image for image in coco["images"] if holds(image["id"])]
    return {**coco, "images": images, "annotations": [a for a in coco["annotations"] if holds(a["image_id"])]}


def _photos(photos: Path) -> dict[str, Any]:
    """Returns the photos with their objects of ``PHOTO_CLASSES``; small ones, and other vehicles, become crowd regions."""
    coco = _prefixed(json.loads((photos / "instances_train.json").read_text()), f"{photos.name}/train")
    names = {category["id"]: category["name"] for category in coco["categories"]}
    annotations = []
    for annotation in coco["annotations"]:
        name = names[annotation["category_id"]]
        if name in PHOTO_CLASSES:
            crowd = int(bool(annotation["iscrowd"]) or annotation["area"] < TOO_SMALL)
            annotations.append({**annotation, "name": PHOTO_CLASSES[name], "iscrowd": crowd})
        elif name in ("bicycle", "motorcycle", "bus", "truck"):
            annotations.append({**annotation, "name": "car", "iscrowd": 1})
    return {**coco, "annotations": annotations}


def _joined(frames: dict[str, Any], photos: dict[str, Any]) -> dict[str, Any]:
    labels = {category["name"]: category["id"] for category in frames["categories"]}
    images, annotations = list(frames["images"]), list(frames["annotations"])
    first_image, first = max(image["id"] for image in images) + 1, max(a["id"] for a in annotations) + 1
    numbers = {image["id"]: first_image + index for index, image in enumerate(photos["images"])}
    images += [{**image, "id": numbers[image["id"]]} for image in photos["images"]]
    for index, annotation in enumerate(photos["annotations"]):
        label = labels[annotation["name"]]
        kept = {key: annotation[key] for key in ("bbox", "area", "segmentation", "iscrowd")}
        image = numbers[annotation["image_id"]]
        annotations.append({**kept, "id": first + index, "image_id": image, "category_id": label})
    return {**frames, "images": images, "annotations": annotations}


def _write(path: Path, coco: dict[str, Any]) -> None:
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(coco))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.ladder.data", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of camvid/ and coco100/")
    parser.add_argument("out", type=Path, help="folder for the annotation files")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_splits(arguments.data / "camvid", arguments.data / "coco100", arguments.out)


if __name__ == "__main__":
    main()
