import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from fcis_ros.data.coco import CocoDataset, decode_segmentation
from fcis_ros.errors import InputError

DATA = Path(__file__).parents[3] / "shared" / "data"
HEIGHT, WIDTH = 24, 32


def runs(mask: np.ndarray) -> list[int]:
    """Run lengths down the columns, background first, by definition."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *edges, flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


def square() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[4:10, 8:20] = True
    return mask


def content() -> dict:
    compressed = coco_mask.encode(np.asfortranarray(square(), np.uint8))
    return {
        "images": [
            {"id": 7, "file_name": "a.png", "height": HEIGHT, "width": WIDTH},
            {"id": 3, "file_name": "more/b.png", "height": HEIGHT, "width": WIDTH},
        ],
        "categories": [{"id": 9, "name": "dog"}, {"id": 2, "name": "car"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 9, "segmentation": [[8, 4, 20, 4, 20, 10, 8, 10]], "iscrowd": 0},
            {
                "id": 2,
                "image_id": 7,
                "category_id": 2,
                "segmentation": {"size": [HEIGHT, WIDTH], "counts": runs(square())},
                "iscrowd": 1,
            },
            {
                "id": 3,
                "image_id": 7,
                "category_id": 2,
                "segmentation": {"size": [HEIGHT, WIDTH], "counts": compressed["counts"].decode()},
            },
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


def test_polygons_and_both_kinds_of_run_lengths(load):
    sample = load(content())[0]
    assert sample.name == "a.png" and sample.image.shape == (HEIGHT, WIDTH, 3)
    assert (sample.image == (200, 0, 0)).all()
    assert sample.masks.shape == (3, HEIGHT, WIDTH)
    for mask in sample.masks:
        np.testing.assert_array_equal(mask, square())
    assert sample.crowd.tolist() == [False, True, False]


def test_all_categories_by_id(load):
    dataset = load(content())
    assert dataset.class_names == ("car", "dog") and dataset.category_ids == [2, 9]
    assert dataset[0].labels.tolist() == [2, 1, 1]


def test_chosen_classes_in_their_order(load):
    dataset = load(content(), ("dog", "cat"))
    assert dataset.class_names == ("dog", "cat") and dataset.category_ids == [9, None]
    assert dataset[0].labels.tolist() == [1]


def test_it_is_a_sequence(load):
    dataset = load(content())
    assert len(dataset) == 2 and [sample.name for sample in dataset] == ["a.png", "b.png"]
    assert dataset[-1].masks.shape == (0, HEIGHT, WIDTH)
    with pytest.raises(IndexError):
        dataset[2]


def test_by_name(load):
    dataset = load(content())
    assert dataset.by_name("a.png").labels.size == 3
    assert dataset.by_name("b.png").name == dataset.by_name("more/b.png").name == "b.png"
    assert dataset.by_name("c.png") is None
    assert [annotation["id"] for annotation in dataset.annotations_for("a.png")] == [1, 2, 3]
    assert dataset.annotations_for("b.png") == dataset.annotations_for("c.png") == []


def test_two_polygons_are_one_mask():
    mask = decode_segmentation([[0, 0, 3, 0, 3, 3, 0, 3], [5, 5, 9, 5, 9, 9, 5, 9]], 12, 12)
    assert mask.sum() == 9 + 16 and mask[0:3, 0:3].all() and mask[5:9, 5:9].all()


def test_run_lengths_worked_by_hand():
    # Columns of a 2 x 3 image: (0, 1), (1, 1), (0, 0).
    mask = decode_segmentation({"size": [2, 3], "counts": [1, 3, 2]}, 2, 3)
    assert mask.tolist() == [[False, True, False], [True, True, False]]


@given(arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
@settings(max_examples=150, deadline=None)
def test_round_trip(mask):
    size = list(mask.shape)
    compressed = coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    for counts in (runs(mask), compressed):
        np.testing.assert_array_equal(decode_segmentation({"size": size, "counts": counts}, *size), mask)


@given(
    st.one_of(st.text(max_size=30), st.text("0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmno", max_size=30))
)
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_mask_or_an_input_error(text):
    try:
        assert decode_segmentation({"size": [5, 7], "counts": text}, 5, 7).shape == (5, 7)
    except InputError:
        pass


@given(st.lists(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=9), max_size=3))
@settings(max_examples=200, deadline=None)
def test_any_polygons_are_a_mask_or_an_input_error(polygons):
    try:
        assert decode_segmentation(polygons, 5, 7).shape == (5, 7)
    except InputError:
        pass


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
        (lambda c: c["annotations"][1].update(image_id=99), "annotation 2 names image 99, which is not listed"),
        (lambda c: c["annotations"][1].update(category_id=99), "annotation 2 names category 99, which is not listed"),
    ],
)
def test_wrong_files(load, change, message):
    wrong = content()
    change(wrong)
    with pytest.raises(InputError, match=message) as caught:
        load(wrong)
    assert "instances.json" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="none.json: no such annotation file"):
        CocoDataset(tmp_path / "none.json", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not JSON"), ("", "not JSON"), ("[1]", "no list 'images'"), ("3", "no list")]
)
def test_not_json(load, text, message):
    with pytest.raises(InputError, match=message):
        load(text)


def test_not_text(tmp_path):
    path = tmp_path / "picture.json"
    path.write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError, match="picture.json: not JSON"):
        CocoDataset(path, tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path):
    path = tmp_path / "secret.json"
    path.write_text("{}")
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        CocoDataset(path, tmp_path)


def test_none_of_the_classes(load):
    with pytest.raises(InputError, match=r"none of its categories \(car, dog\) is one of cat, bird"):
        load(content(), ("cat", "bird"))


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]}, r"mask size \[32, 24\] disagrees .* \[24, 32\]"),
        ({"size": [HEIGHT, WIDTH], "counts": [5]}, "do not add up to the 768 pixels"),
        ({"size": [HEIGHT, WIDTH], "counts": [800, -32]}, "do not add up"),
        ({"size": [HEIGHT, WIDTH], "counts": [1.5]}, "neither a string nor a list of whole numbers"),
        ({"size": [HEIGHT, WIDTH], "counts": None}, "neither a string nor a list of whole numbers"),
        ({"size": [HEIGHT, WIDTH], "counts": "é"}, "what no COCO tool writes"),
        ({"size": [HEIGHT, WIDTH], "counts": "oo"}, "middle of a number"),
        ({"counts": [1]}, "neither polygons nor run lengths"),
        ("text", "neither polygons nor run lengths"),
        ([[1, 2, 3, 4]], "three x, y pairs"),
        ([[1, 2, 3, 4, 5, 6, 7]], "three x, y pairs"),
        ([[1, 2, 3, 4, 5, "6"]], "not a number of pixels"),
        ([[1, 2, 3, 4, 5, float("nan")]], "not a number of pixels"),
    ],
)
def test_wrong_masks(load, segmentation, message):
    wrong = content()
    wrong["annotations"][0]["segmentation"] = segmentation
    dataset = load(wrong)
    with pytest.raises(InputError, match=f"instances.json: annotation 1: .*{message}"):
        dataset[0]
    assert dataset[1].labels.size == 0


def test_wrong_pictures(load, tmp_path):
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


@pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not here: no ../shared/data")
def test_real_files():
    camvid = CocoDataset(DATA / "camvid/instances_train.json", DATA / "camvid/train", ("car", "pedestrian", "bicyclist"))
    assert len(camvid) == 367 and camvid.category_ids == [1, 2, 3]
    sample = camvid[0]
    for mask, annotation in zip(sample.masks, camvid.annotations_for(sample.name), strict=True):
        np.testing.assert_array_equal(mask, coco_mask.decode(annotation["segmentation"]).astype(bool))
        assert mask.sum() == annotation["area"]
    coco = CocoDataset(DATA / "coco100/instances_train.json", DATA / "coco100/train")
    assert len(coco.class_names) == 80 and sum(len(coco.annotations_for(coco[i].name)) for i in range(3)) > 0
