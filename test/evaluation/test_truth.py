"""Annotations found by file name: what matches, what is refused."""

import json

import numpy as np
import pytest

from fcis_ros.errors import InputError
from fcis_ros.evaluation.truth import Truth
from fcis_ros.structures import Instances, Sample

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
    return Truth.load(path, names)


def found(height=60, width=80):
    x1, y1, x2, y2 = SQUARE
    return Instances(
        height, width, np.array([SQUARE], np.int32), np.array([0.9], np.float32), np.array([1]),
        (np.array([0, (y2 - y1) * (x2 - x1)], np.uint32),), NAMES,
    )  # fmt: skip


@pytest.mark.parametrize("frame", ["a.jpg", "a.png", "a"])
def test_found_by_name_with_any_image_ending(tmp_path, frame):
    truth = load(tmp_path, annotations())
    ap = truth.evaluate([(frame, found())])
    assert ap["segm"]["AP"] == pytest.approx(1)
    assert ap["per_class"] == {"car": pytest.approx(1), "pedestrian": None}


def test_categories_by_name(tmp_path):
    assert load(tmp_path, annotations()).category_ids == [4, 3]
    assert load(tmp_path, annotations(), ("bicyclist", "car")).category_ids == [None, 4]


def test_frames_without_annotations_do_not_count(tmp_path):
    truth = load(tmp_path, annotations())
    assert truth.find("b.jpg") is None
    assert truth.evaluate([("b.jpg", found()), ("a.jpg", found())])["segm"]["AP"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not a COCO instance file"),
        ("[]", "not a COCO instance file"),
        ({"images": []}, "not a COCO instance file"),
        (annotations(images=[{"id": "x"}]), "not a COCO instance file"),
        (annotations(annotations=[{"image_id": 5, "category_id": 4}]), "not a COCO instance file"),
        (annotations(images=[]), "image 5, which is not listed"),
        (annotations(categories=[{"id": 4, "name": "boat"}]), "none of its categories .boat. is a class of the model"),
    ],
)
def test_bad_file(tmp_path, content, says):
    with pytest.raises(InputError, match=says) as error:
        load(tmp_path, content)
    assert "instances.json" in str(error.value) and "\n" not in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Truth.load(tmp_path / "none.json", NAMES)


def test_no_frame_matches(tmp_path):
    truth = load(tmp_path, annotations())
    truth.require_match(["b.jpg", "a.jpg"])
    with pytest.raises(InputError, match=r"instances\.json.*a\.jpg.*is a frame of the input.*b\.jpg"):
        truth.require_match(["b.jpg"])


def test_size_differs(tmp_path):
    with pytest.raises(InputError, match=r"instances\.json: a\.jpg is 80x60 there, the frame 80x61"):
        load(tmp_path, annotations()).evaluate([("a.jpg", found(height=61))])


def test_sample_round_trip(tmp_path):
    mask = np.zeros((2, 60, 80), bool)
    mask[0, 10:30, 10:30] = mask[1, 40:50, 40:50] = True
    sample = Sample(np.zeros((60, 80, 3), np.uint8), mask, np.array([2, 1]), np.zeros(2, bool), "000000")
    truth = Truth(NAMES)
    truth.add(sample, ("bicyclist", "car"))  # the model knows no bicyclist
    again = load(tmp_path, truth.to_json())
    for one in (truth, again):
        assert one.evaluate([("000000", found())])["segm"]["AP"] == pytest.approx(1)
