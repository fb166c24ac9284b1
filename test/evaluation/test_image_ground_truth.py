# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Annotations found by file name: what matches, what is refused."""

import json

import numpy as np
import pytest

from fcis_ros.errors import InputError
from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
from fcis_ros.metrics.average_precision import Table, measure
from fcis_ros.metrics.coco_results import to_results
from fcis_ros.metrics.matching import match_image
from fcis_ros.structures import Instances

NAMES = ("car", "pedestrian")
SQUARE = (10, 10, 30, 30)


def annotations(**changes):
    content = {
        "images": [{"id": 5, "file_name": "some/folder/a.jpg", "height": 60, "width": 80}],
        "categories": [{"id": 3, "name": "pedestrian"}, {"id": 9, "name": "kite"}, {"id": 4, "name": "car"}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 4, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 0,
             "segmentation": [[10, 10, 30, 10, 30, 30, 10, 30]]},
            {"id": 2, "image_id": 5, "category_id": 9, "bbox": [0, 0, 5, 5], "area": 25, "iscrowd": 0,
             "segmentation": [[0, 0, 5, 0, 5, 5, 0, 5]]},
        ],
    }  # fmt: skip
    return {**content, **changes}


def load(tmp_path, content, names=NAMES):
    path = tmp_path / "instances.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return ImageGroundTruth.load(path, names)


def found(height=60, width=80):
    x1, y1, x2, y2 = SQUARE
    return Instances(
        height, width, np.array([SQUARE], np.int32), np.array([0.9], np.float32), np.array([1]),
        (np.array([0, (y2 - y1) * (x2 - x1)], np.uint32),), NAMES,
    )  # fmt: skip


def measured(truth, *predictions):
    """AP of pairs (name of a frame, instances)."""
    pairs = [(truth.find(name), instances) for name, instances in predictions]
    matches = [match_image(truth.objects(image), to_results(instances, image.id)) for image, instances in pairs]
    return measure(Table.of(matches), NAMES)


@pytest.mark.parametrize("frame", ["a.jpg", "a.png", "a"])
def test_find_other_image_suffix_matches_by_name(tmp_path, frame):
    truth = load(tmp_path, annotations())
    ap = measured(truth, (frame, found()))
    assert ap["segm"]["AP"] == pytest.approx(1)
    assert ap["per_class"] == {"car": pytest.approx(1), "pedestrian": None}


def test_load_other_category_ids_are_matched_by_name(tmp_path):
    assert load(tmp_path, annotations()).category_ids == [4, 3]
    assert load(tmp_path, annotations(), ("bicyclist", "car")).category_ids == [None, 4]


def test_objects_unannotated_image_has_none(tmp_path):
    assert load(tmp_path, annotations()).find("b.jpg") is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not JSON"),
        ("[]", "not a COCO instance file"),
        ({"images": []}, "no list 'annotations'"),
        (annotations(images=[{"id": "x"}]), r"images\[0\] has no 'file_name'"),
        (annotations(annotations=[{"image_id": 5, "category_id": 4}]), "no masks: all 1 objects lack a 'segmentation'"),
        (annotations(images=[]), "images that are not listed"),
        (annotations(categories=[{"id": 4, "name": "boat"}], annotations=[]), "none of its categories .boat. is one of car"),
    ],
)
def test_load_malformed_file_is_refused(tmp_path, content, says):
    with pytest.raises(InputError, match=says) as error:
        load(tmp_path, content)
    assert "instances.json" in str(error.value) and "\n" not in str(error.value)


def test_load_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such annotation file"):
        ImageGroundTruth.load(tmp_path / "none.json", NAMES)


def test_require_any_no_matching_frame_is_refused(tmp_path):
    truth = load(tmp_path, annotations())
    truth.require_match(["b.jpg", "a.jpg"])
    with pytest.raises(InputError, match=r"instances\.json.*a\.jpg.*is a frame of the input.*b\.jpg"):
        truth.require_match(["b.jpg"])


def test_fault_of_an_image_of_another_size_is_named(tmp_path):
    truth = load(tmp_path, annotations())
    image = truth.find("a.jpg")
    assert truth.fault(image, 61, 80) == "annotated as 80x60 pixels, but the frame has 80x61" and not truth.fault(image, 60, 80)


@pytest.mark.parametrize("id_", [0, None, "x"])
@pytest.mark.parametrize("missing", [(), ("bbox", "area")])
def test_objects_any_annotation_ids_give_full_ap(tmp_path, id_, missing):
    """pycocotools takes id 0 for "matched to nothing"."""
    content = annotations()
    for annotation in content["annotations"]:
        annotation.pop("id") if id_ is None else annotation.update(id=id_)  # twice the same
        for key in missing:
            del annotation[key]
    ap = measured(load(tmp_path, content), ("a.jpg", found()))
    assert ap["bbox"] == pytest.approx({"AP": 1, "AP50": 1, "AP75": 1}) and ap["segm"]["AP"] == pytest.approx(1)
    assert ap["mAPr"] == pytest.approx({"0.5": 1, "0.7": 1})


def two_folders():
    """The same file name in two folders: the square is in y/a.jpg alone."""
    images = [{"id": i, "file_name": name, "height": 60, "width": 80} for i, name in ((5, "x/a.jpg"), (6, "y/a.jpg"))]
    return annotations(images=images, annotations=[{**annotations()["annotations"][0], "image_id": 6}])


def test_find_name_in_two_folders_needs_the_folder(tmp_path):
    truth = load(tmp_path, two_folders())
    assert [truth.find(name).id for name in ("x/a.jpg", "y/a.jpg", "/data/y/a.jpg")] == [5, 6, 6]
    none = found().select(np.zeros(1, bool))
    assert measured(truth, ("x/a.jpg", none), ("y/a.jpg", found()))["segm"]["AP"] == pytest.approx(1)
    assert measured(truth, ("x/a.jpg", found()), ("y/a.jpg", none))["segm"]["AP"] == 0
    with pytest.raises(InputError, match=r"frame a\.jpg may be any of 2 images \(x/a\.jpg, y/a\.jpg"):
        truth.find("a.jpg")


@pytest.mark.parametrize("frame", ["some\\folder\\a.jpg", "/other/folder/a.jpg", "a.png"])
@pytest.mark.parametrize("name", ["some\\folder\\a.jpg", "/data/folder/a.jpg", "https://host/folder/a.jpg"])
def test_find_paths_of_other_tools_match(tmp_path, name, frame):
    content = annotations(images=[{"id": 5, "file_name": name, "height": 60, "width": 80}])
    assert load(tmp_path, content).find(frame).id == 5


def test_find_other_unicode_form_matches(tmp_path):
    content = annotations(images=[{"id": 5, "file_name": "ho\u0308he.jpg", "height": 60, "width": 80}])
    assert load(tmp_path, content).find("h\u00f6he.jpg").id == 5


def test_objects_listed_twice_give_the_ap_of_one_entry(tmp_path):
    """Half of the objects in each of two entries, as merged exports have it, and one of them in both."""
    other = {**annotations()["annotations"][0], "id": 3, "segmentation": [[50, 40, 70, 40, 70, 50, 50, 50]]}
    whole = annotations(annotations=[annotations()["annotations"][0], other])
    image = whole["images"][0]
    halves = {**whole, "images": [image, {**image, "id": 6}]}
    halves["annotations"] = [whole["annotations"][0], {**whole["annotations"][0], "image_id": 6}, {**other, "image_id": 6}]
    expected = measured(load(tmp_path, whole), ("a.jpg", found()))
    assert measured(load(tmp_path, halves), ("a.jpg", found())) == expected and expected["segm"]["AP"] < 0.6


@pytest.mark.parametrize("counts", [[5, 1_000_000_000], "oo", [4800, 1.5]])
def test_objects_malformed_run_lengths_are_refused(tmp_path, counts):
    content = annotations()
    content["annotations"][0]["segmentation"] = {"size": [60, 80], "counts": counts}
    with pytest.raises(InputError, match=r"instances\.json: .*annotation 1: "):
        truth = load(tmp_path, content)
        truth.objects(truth.images[0])


def test_objects_empty_masks_are_left_out(tmp_path):
    """As pycocotools has it: it stays an object. One of two is found: precision 1 at the recalls 0 .. 0.5."""
    content = annotations()
    content["annotations"][1].update(category_id=4, segmentation=[], bbox=[60, 40, 5, 5])
    ap = measured(load(tmp_path, content), ("a.jpg", found()))
    assert ap["segm"]["AP50"] == ap["bbox"]["AP50"] == pytest.approx(51 / 101)
