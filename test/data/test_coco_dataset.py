# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json

import cv2
import numpy as np
import pytest
from coco_files import HEIGHT, WIDTH, content, square
from pycocotools import mask as coco_mask

from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.errors import InputError


@pytest.fixture
def load(tmp_path):
    """Writes a content, and the two pictures, and opens it."""
    (tmp_path / "more").mkdir()
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[..., 2] = 200  # red, for OpenCV writes BGR
    for name in ("a.png", "more/b.png"):
        cv2.imwrite(str(tmp_path / name), picture)

    def open_it(what, class_names=None):
        path = tmp_path / "instances.json"
        path.write_text(what if isinstance(what, str) else json.dumps(what))
        return CocoDataset(path, tmp_path, class_names)

    return open_it


def test_coco_dataset_polygons_and_run_lengths_give_their_masks(load):
    sample = load(content())[0]
    assert sample.name == "a.png" and sample.image.shape == (HEIGHT, WIDTH, 3)
    assert (sample.image == (200, 0, 0)).all()
    assert sample.masks.shape == (3, HEIGHT, WIDTH)
    for mask in sample.masks:
        np.testing.assert_array_equal(mask, square())
    assert sample.crowd.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("chosen", "names", "labels"), [(None, ("car", "dog"), [2, 1, 1]), (("dog", "cat"), ("dog", "cat"), [1])]
)
def test_coco_dataset_classes_are_labelled_in_their_order(load, chosen, names, labels):
    dataset = load(content(), chosen)
    assert dataset.class_names == names and dataset[0].labels.tolist() == labels


def test_coco_dataset_behaves_as_a_sequence(load):
    dataset = load(content())
    assert len(dataset) == 2 and [sample.name for sample in dataset] == ["a.png", "b.png"]
    assert dataset[-1].masks.shape == (0, HEIGHT, WIDTH)
    with pytest.raises(IndexError):
        dataset[2]


def test_coco_dataset_without_any_of_the_classes_raises(load):
    with pytest.raises(InputError, match=r"none of its categories \(car, dog\) is one of cat, bird"):
        load(content(), ("cat", "bird"))


def test_coco_dataset_malformed_mask_names_the_annotation(load):
    wrong = content()
    wrong["annotations"][0]["segmentation"] = "text"
    dataset = load(wrong)
    with pytest.raises(InputError, match="instances.json: a.png: annotation 1: segmentation is neither polygons"):
        dataset[0]
    assert dataset[1].labels.size == 0
    assert dataset.fault(0).startswith("annotation 1: segmentation is neither polygons") and dataset.fault(1) is None


def test_coco_dataset_wrong_image_names_the_file(load, tmp_path):
    dataset = load(content())
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    with pytest.raises(InputError, match="a.png: 33x24 pixels, but .*instances.json says 32x24"):
        dataset[0]
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="a.png: not an image"):
        dataset[0]
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match="a.png: no such image"):
        dataset[0]
    assert dataset.fault(0) == "no such image file"


def test_coco_dataset_object_without_mask_is_a_fault_of_its_image(load):
    some = content()
    some["annotations"][0]["segmentation"] = []
    assert load(some).fault(0) == "1 object without a mask" and load(some, ("car",)).fault(0) is None


def test_coco_dataset_without_some_images_has_the_others(load):
    dataset = load(content()).without(["a.png"])
    assert dataset.file_names == ["more/b.png"] and len(dataset) == 1 and dataset[0].name == "b.png"


def test_coco_dataset_files_are_found_by_their_names(load):
    """As Label Studio and tools on Windows write the paths."""
    other = content()
    other["images"][0]["file_name"], other["images"][1]["file_name"] = "/data/upload/1/a.png", "C:\\set\\more\\b.png"
    assert [sample.name for sample in load(other)] == ["a.png", "b.png"]


def test_coco_dataset_real_files_have_consistent_samples(shared_data):
    path, images = shared_data / "camvid/instances_train.json", shared_data / "camvid/train"
    camvid = CocoDataset(path, images, ("car", "pedestrian", "bicyclist"))
    assert len(camvid) == 367
    first = camvid[0]
    entries = json.loads(path.read_text())
    annotations = [a for a in entries["annotations"] if a["image_id"] == entries["images"][0]["id"] and a["area"]]
    assert len(annotations) == len(first.masks) > 0
    for mask, annotation in zip(first.masks, annotations, strict=True):
        np.testing.assert_array_equal(mask, coco_mask.decode(annotation["segmentation"]).astype(bool))
        assert mask.sum() == annotation["area"]
    coco = CocoDataset(shared_data / "coco100/instances_train.json", shared_data / "coco100/train")
    assert len(coco.class_names) == 80 and sum(len(coco[i].labels) for i in range(3)) > 0


@pytest.mark.parametrize("ids", [(0, 1, 2), (None, None, None), (5, 5, 5), ("a", "b", "c")])
def test_coco_dataset_odd_annotation_ids_are_accepted(load, ids):
    """Zero, missing, twice the same: nothing refers to them."""
    some = content()
    for annotation, id_ in zip(some["annotations"], ids, strict=True):
        annotation.pop("id") if id_ is None else annotation.update(id=id_)
    assert len(load(some)[0].labels) == 3


@pytest.mark.parametrize("segmentation", [[], [[3.2, 3.2, 3.4, 3.2, 3.4, 3.4]]])
def test_coco_dataset_objects_without_a_pixel_are_left_out(load, segmentation):
    some = content()
    some["annotations"][0]["segmentation"] = segmentation
    sample = load(some)[0]
    assert len(sample.masks) == 2 and sample.masks.any(axis=(1, 2)).all()
    assert sample.labels.tolist() == [1, 1] and sample.crowd.tolist() == [True, False]
