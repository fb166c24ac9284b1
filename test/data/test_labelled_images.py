# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from coco_files import HEIGHT, WIDTH, content, written

from fcis_ros.data.coco import read_coco
from fcis_ros.data.labelled_images import LabelledImages, read_annotated
from fcis_ros.errors import InputError


@pytest.fixture
def labelled(tmp_path):
    def make(changed, class_names):
        return LabelledImages(read_coco(written(tmp_path / "instances.json", changed)), class_names)

    return make


def texts(images):
    return [(finding.lost, finding.text) for finding in images.findings(images.file.images)]


def renamed(**names):
    changed = content()
    for category in changed["categories"]:
        category["name"] = names.get(category["name"], category["name"])
    return changed


def test_labelled_images_names_match_without_case_and_blanks(labelled):
    images = labelled(renamed(car="Car ", dog="\u00a0DOG"), ("dog", "car"))
    assert images.labels == {2: 2, 9: 1} and images.category_ids == [9, 2] and not texts(images)
    assert len(images.objects(images.file.images[0])) == 3


def test_labelled_images_other_classes_are_remarked_with_their_objects(labelled):
    assert texts(labelled(content(), ("dog",))) == [(False, "2 objects of class car, which the model does not have")]
    more = {**content(), "categories": [*content()["categories"], {"id": 4, "name": "bus"}, {"id": 5, "name": "unused"}]}
    more["annotations"].append({**content()["annotations"][0], "category_id": 4})
    assert texts(labelled(more, ("dog",))) == [(False, "3 objects of 2 classes that the model does not have: car (2), bus (1)")]


def test_labelled_images_missing_classes_are_remarked_with_a_suggestion(labelled):
    remarks = texts(labelled(renamed(dog="pedestrain"), ("car", "pedestrian")))
    assert remarks == [
        (False, "1 object of class pedestrain, which the model does not have"),
        (False, "1 class of the model is not in it: pedestrian (did you mean its category pedestrain?)"),
    ]


def test_labelled_images_categories_of_one_name_are_one_class(labelled):
    """The id for results is that of the category with objects."""
    root = {**content(), "categories": [{"id": 0, "name": "car"}, *content()["categories"]]}
    images = labelled(root, ("car", "dog"))
    assert images.category_ids == [2, 9] and images.labels == {0: 1, 2: 1, 9: 2}
    root["annotations"][0]["category_id"] = 0
    assert labelled(root, ("car",)).category_ids == [0] and len(labelled(root, ("car",)).objects(images.file.images[0])) == 3


def test_labelled_images_without_any_of_the_classes_are_refused(labelled):
    with pytest.raises(InputError, match=r"none of its categories \(car, dog\) is one of cat, bird"):
        labelled(content(), ("cat", "bird"))


def test_labelled_images_broken_annotation_makes_its_image_unusable(labelled):
    """For the models that have its class: other objects are not measured."""
    broken = content()
    broken["annotations"][0]["segmentation"] = [[3, 3]]
    images = labelled(broken, ("dog", "car"))
    assert images.unusable == {7: "annotation 1: a polygon is not a list of at least three x, y pairs"}
    with pytest.raises(InputError, match="instances.json: a.png: annotation 1: a polygon"):
        images.objects(images.file.images[0])
    assert labelled(broken, ("car",)).unusable == {}
    broken["annotations"][0]["category_id"] = 99  # may be any class
    assert labelled(broken, ("car",)).unusable == {7: "annotation 1: names category 99, which is not listed"}


def test_labelled_images_all_unusable_are_refused(labelled):
    broken = {**content(), "images": content()["images"][:1]}
    broken["annotations"][1]["segmentation"] = [[3, 3]]
    with pytest.raises(InputError, match=r"none of its 1 images can be used \(a.png: annotation 2: a polygon"):
        labelled(broken, ("car",))


def test_labelled_images_objects_without_mask_are_counted(labelled):
    some = content()
    some["annotations"][0]["segmentation"] = []
    images = labelled(some, ("dog", "car"))
    assert texts(images) == [(True, "1 object without a mask in 1 image, which cannot be found")]
    assert images.findings(images.file.images[1:]) == () and len(images.objects(images.file.images[0])) == 3
    assert all(not lost for lost, _ in texts(labelled(some, ("car",))))


@pytest.mark.parametrize("polygon", [[900, 4, 920, 4, 920, 10], [-9, 4, -2, 4, -2, 10], [8, 4, 20, 4, 12, 4]])
def test_labelled_images_polygons_without_a_pixel_are_remarked(labelled, polygon):
    some = content()
    some["annotations"][0]["segmentation"] = [polygon]
    said = "1 object outside the image or without area, which cannot be found"
    assert texts(labelled(some, ("dog", "car"))) == [(False, said)]
    assert said not in str(texts(labelled(content(), ("dog", "car"))))


def test_labelled_images_without_objects_are_remarked(labelled):
    crowd = content()
    crowd["annotations"] = crowd["annotations"][:2]
    said = [(False, "no objects of the model's classes, apart from crowd regions")]
    assert texts(labelled({**content(), "annotations": []}, ("dog", "car"))) == said
    assert said[0] in texts(labelled(crowd, ("car",))) and said[0] not in texts(labelled(crowd, ("dog", "car")))


def test_read_annotated_other_size_is_refused(labelled, tmp_path):
    images = labelled(content(), ("car",))
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    with pytest.raises(InputError, match="a.png: 33x24 pixels, but .*instances.json says 32x24"):
        read_annotated(tmp_path / "a.png", images.file.images[0], images.file)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((WIDTH, HEIGHT, 3), np.uint8))
    with pytest.raises(InputError, match="says 32x24; annotations must be of the pixels as stored, before a rotation by EXIF"):
        read_annotated(tmp_path / "a.png", images.file.images[0], images.file)
