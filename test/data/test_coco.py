# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from fcis_ros import rle
from fcis_ros.data.coco import CocoDataset
from fcis_ros.errors import InputError

HEIGHT, WIDTH = 24, 32


def square() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[4:10, 8:20] = True
    return mask


def content() -> dict:
    size, polygon = [HEIGHT, WIDTH], [8, 4, 20, 4, 20, 10, 8, 10]
    compressed = coco_mask.encode(np.asfortranarray(square(), np.uint8))["counts"].decode()
    dog, car = {"image_id": 7, "category_id": 9}, {"image_id": 7, "category_id": 2}
    return {
        "images": [
            {"id": 7, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
            {"id": 3, "file_name": "more/b.png", "height": HEIGHT, "width": WIDTH},
        ],
        "categories": [{"id": 9, "name": "dog"}, {"id": 2, "name": "car"}],
        "annotations": [
            {"id": 1, **dog, "segmentation": [polygon], "iscrowd": 0},
            {"id": 2, **car, "segmentation": {"size": size, "counts": rle.encode(square()).tolist()}, "iscrowd": 1},
            {"id": 3, **car, "segmentation": {"size": size, "counts": compressed}},
        ],
    }


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), "no list 'images'"),
        (lambda c: c.update(annotations={}), "no list 'annotations'"),
        (lambda c: c["images"][1].pop("file_name"), r"images\[1\] has no 'file_name'"),
        (lambda c: c["annotations"][2].pop("segmentation"), r"annotations\[2\] has no 'segmentation'"),
        (lambda c: c["categories"].append("cat"), r"categories\[2\] has no 'id'"),
        (lambda c: c["images"][0].update(height="24"), "wrong type of 'height': '24'"),
        (lambda c: c["images"][0].update(width=0), "wrong type of 'width': 0"),
        (lambda c: c["images"][0].update(id=[1]), "wrong type of 'id'"),
        (lambda c: c["images"][1].update(id=7), "two entries of 'images' have the same id"),
        (lambda c: c["images"][0].update(width=float("nan")), "wrong type of 'width': nan"),
        (lambda c: c["images"][0].update(width=10**12), "wrong type of 'width'"),
        (lambda c: c["images"][0].update(file_name="a\0.png"), "wrong type of 'file_name'"),
        (lambda c: c["images"][0].update(file_name="x/" + 300 * "a"), "wrong type of 'file_name'"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2, 3]), r"annotations\[0\] has the wrong type of 'bbox'"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2, 3, float("inf")]), "wrong type of 'bbox'"),
        (lambda c: c["annotations"][0].update(area=float("nan")), "wrong type of 'area': nan"),
        (lambda c: c["annotations"][0].update(area=-1), "wrong type of 'area': -1"),
        (lambda c: c["annotations"][0].update(iscrowd="0"), "wrong type of 'iscrowd': '0'"),
        (lambda c: c["categories"][0].update(name="car"), "two categories have the same name"),
        (lambda c: c["annotations"][1].update(image_id=99), "annotation 2 names image 99, which is not listed"),
        (lambda c: c["annotations"][1].update(category_id=99), "annotation 2 names category 99, which is not listed"),
    ],
)
def test_read_coco_wrong_content_names_the_entry(load, change, message):
    wrong = content()
    change(wrong)
    with pytest.raises(InputError, match=message) as caught:
        load(wrong)
    assert "instances.json" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"[1]", "no list 'images'"),
        (b"3", "no list"),
        (bytes(range(128, 256)), "not JSON"),
        (b"[" * 1_000_000, "not JSON"),
        (None, "no such annotation file"),
        ("folder", "cannot be read"),
    ],
    ids=["cut", "empty", "list", "number", "binary", "deep nesting", "missing", "folder"],
)
def test_read_coco_unusable_file_names_it(tmp_path, content, message):
    path = tmp_path / "a.json"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=f"a.json: .*{message}") as error:
        CocoDataset(path, tmp_path)
    assert "\n" not in str(error.value)


def test_coco_dataset_without_any_of_the_classes_raises(load):
    with pytest.raises(InputError, match=r"none of its categories \(car, dog\) is one of cat, bird"):
        load(content(), ("cat", "bird"))


def test_coco_dataset_malformed_mask_names_the_annotation(load):
    wrong = content()
    wrong["annotations"][0]["segmentation"] = "text"
    dataset = load(wrong)
    with pytest.raises(InputError, match="instances.json: annotation 1: segmentation is neither polygons"):
        dataset[0]
    assert dataset[1].labels.size == 0


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


# JSON as a hostile or careless tool may write it: any value anywhere in a file that is otherwise right.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.integers(10**25, 10**30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "size", "counts"]), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_coco_dataset_any_changed_value_gives_samples_or_input_error(load, data):
    changed = content()
    node, key = changed, None
    for _ in range(data.draw(st.integers(1, 4))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        parent, key = node, data.draw(st.sampled_from(keys))
        node = parent[key]
        if not isinstance(node, (dict, list)) or not node:
            break
    parent[key] = data.draw(VALUES)
    try:
        for sample in load(changed):
            assert sample.masks.any(axis=(1, 2)).all()
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
