# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What an annotation file says, whichever tool wrote it."""

import copy
import json

import pytest
from coco_files import HEIGHT, WIDTH, content, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fcis_ros.data.coco import CocoFile, read_coco
from fcis_ros.errors import InputError

POLYGON = [8, 4, 20, 4, 20, 10, 8, 10]


@pytest.fixture
def read(tmp_path):
    return lambda changed: read_coco(written(tmp_path / "instances.json", changed))


def image(id_, name, **changes):
    return {"id": id_, "file_name": name, "height": HEIGHT, "width": WIDTH, **changes}


def object_of(image_id, polygon=POLYGON, **changes):
    return {"image_id": image_id, "category_id": 2, "segmentation": [polygon], **changes}


def file_of(images, annotations):
    return {**content(), "images": images, "annotations": annotations}


def shifted(by):
    return [coordinate + by for coordinate in POLYGON]


@pytest.mark.parametrize("second", ["a.png", "./a.png", ".\\a.png"])
def test_read_coco_image_listed_twice_has_the_objects_of_both_entries(read, second):
    """As merged exports list it: one object in each, and one in both."""
    objects = [object_of(1), object_of(1, shifted(1)), object_of(9), object_of(9, shifted(2))]
    file = read(file_of([image(1, "a.png"), image(9, second)], objects))
    assert [entry.id for entry in file.images] == [1]
    assert [entry.segmentation for entry in file.annotations[1]] == [[POLYGON], [shifted(1)], [shifted(2)]]
    (finding,) = file.findings
    assert not finding.lost and finding.text.startswith("1 image is listed several times: a.png")
    assert finding.text.endswith("taken together, without 1 repetition")


def test_read_coco_equal_objects_of_an_image_listed_once_are_all_counted(read):
    file = read(file_of([image(1, "a.png")], [object_of(1), object_of(1)]))
    assert len(file.annotations[1]) == 2 and not file.findings


def test_read_coco_image_listed_with_two_sizes_cannot_be_used(read):
    file = read(file_of([image(1, "a.png"), image(9, "a.png", width=99), image(3, "b.png")], [object_of(3)]))
    assert [(entry.id, entry.fault) for entry in file.images] == [(1, "listed with 32x24 and with 99x24 pixels"), (3, None)]


def test_read_coco_entries_with_different_stamps_are_different_frames(read):
    images = [image(1, "a.png", stamp_ns=5), image(2, "a.png", stamp_ns=6), image(3, "a.png", stamp_ns=6), image(4, "b.png")]
    assert [(entry.id, entry.stamp_ns) for entry in read(file_of(images, [])).images] == [(1, 5), (2, 6), (4, None)]
    images = [image(1, "a.png"), image(2, "a.png", stamp_ns=6)]
    assert [(entry.id, entry.stamp_ns) for entry in read(file_of(images, [])).images] == [(1, 6)]


def test_read_coco_one_id_for_two_images_is_refused(read):
    with pytest.raises(InputError, match="instances.json: two entries of 'images' have the same id 7: a.png and b.png"):
        read(file_of([image(7, "a.png"), image(7, "b.png")], []))
    assert len(read(file_of([image(7, "a.png"), image(7, "a.png")], [object_of(7), object_of(7)])).annotations[7]) == 1


def test_read_coco_categories_of_one_name_are_remarked(read):
    """Roboflow puts a root category first, which may be called like a class."""
    changed = {**content(), "categories": [{"id": 0, "name": "Car"}, *content()["categories"]]}
    file = read(changed)
    assert file.class_names == ("Car", "dog") and file.categories == {0: "Car", 2: "car", 9: "dog"}
    (finding,) = file.findings
    assert not finding.lost and finding.text == "2 categories are called Car (ids 0, 2) and taken as one class"


def test_read_coco_one_id_for_two_classes_is_refused(read):
    changed = {**content(), "categories": [*content()["categories"], {"id": 2, "name": "cat"}]}
    with pytest.raises(InputError, match="two entries of 'categories' have the same id 2: car and cat"):
        read(changed)


def test_read_coco_annotations_of_images_that_are_not_listed_are_counted(read):
    file = read(file_of([image(1, "a.png")], [object_of(1), object_of(5), object_of(5), object_of(6)]))
    assert len(file.annotations[1]) == 1
    assert [str(finding) for finding in file.findings if finding.lost] == [
        "instances.json: 3 annotations of 2 images not listed (ids 5, 6)"
    ]
    with pytest.raises(InputError, match="1 annotation of images that are not listed, and no others"):
        read(file_of([image(1, "a.png")], [object_of(5)]))


@pytest.mark.parametrize("nothing", [[], None, [[]], "missing"])
def test_read_coco_file_without_masks_is_refused(read, nothing):
    """As exports for box detectors are."""
    boxes = [{**object_of(1), "bbox": [8, 4, 12, 6], "segmentation": nothing} for _ in range(3)]
    if nothing == "missing":
        for entry in boxes:
            del entry["segmentation"]
    with pytest.raises(InputError, match="instances.json: no masks: all 3 objects lack a 'segmentation', 3 have a box"):
        read(file_of([image(1, "a.png")], boxes))
    file = read(file_of([image(1, "a.png")], [*boxes, object_of(1)]))
    assert [entry.segmentation for entry in file.annotations[1]] == [[], [], [], [POLYGON]]


@pytest.mark.parametrize(("largest", "unit"), [(1, "normalised to 0..1"), (100, "in per cent")])
def test_read_coco_polygons_not_in_pixels_are_refused(read, largest, unit):
    def scaled(x, y):
        corners = [(x, y), (x + 40, y), (x + 40, y + 30), (x, y + 30)]
        return [coordinate / side * largest for corner in corners for coordinate, side in zip(corner, (480, 360), strict=True)]

    images = [image(i, f"{i}.png", width=480, height=360) for i in range(3)]
    objects = [object_of(i, scaled(x, 50), bbox=[x, 50, 40, 30]) for i in range(3) for x in (9, 200, 400)]
    with pytest.raises(InputError, match=rf"instances.json: no masks in pixels: its polygons are {unit} \(largest"):
        read(file_of(images, objects))
    plain = [object_of(3, [9, 9, 300, 9, 300, 99]), *objects]
    file = read(file_of([*images, image(3, "3.png", width=480, height=360)], plain))
    assert file.annotations[3][0].fault is None
    assert {entry.fault for entry in file.annotations[0]} == {f"its polygons are {unit}, not in pixels"}


def test_read_coco_broken_annotations_are_named_with_their_fault(read):
    objects = [
        object_of(1, [3, 3], id=4),
        object_of(1, [3, 3, float("nan"), 3, 5, 5]),
        object_of(1, category_id=99),
        {**object_of(1), "segmentation": {"size": [HEIGHT, WIDTH], "counts": [5]}},
        {**object_of(1), "segmentation": "text"},
        object_of(1),
    ]
    file = read(file_of([image(1, "a.png")], objects))
    expected = ["a polygon is not a list", "not a number of pixels", "names category 99, which is not listed", "do not add up"]
    for entry, text in zip(file.annotations[1], [*expected, "neither polygons nor run lengths"], strict=False):
        assert text in entry.fault
    assert file.annotations[1][0].title == "annotation 4" and file.annotations[1][-1].fault is None


# JSON as a hostile or careless tool may write it: any value anywhere in a file that is otherwise right.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.integers(10**25, 10**30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "size", "counts", "images", "annotations", "categories"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def require_file_or_error(path):
    try:
        assert isinstance(read_coco(path), CocoFile)
    except InputError as error:
        assert len(str(error).splitlines()) == 1 and len(str(error)) < 1000


@given(VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_read_coco_any_json_gives_a_file_or_input_error(tmp_path, value):
    require_file_or_error(written(tmp_path / "a.json", value))


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_read_coco_any_changed_values_give_a_file_or_input_error(tmp_path, data):
    changed = copy.deepcopy(content())
    changed["images"].append(image(4, "a.png"))  # twice
    changed["annotations"].append({**object_of(4), "bbox": [8, 4, 12, 6], "area": 72})
    for _ in range(data.draw(st.integers(1, 3))):
        node, parent, key = changed, None, None
        for _ in range(data.draw(st.integers(1, 4))):
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            parent, key = node, data.draw(st.sampled_from(keys))
            node = parent[key]
            if not isinstance(node, (dict, list)) or not node:
                break
        parent[key] = data.draw(VALUES)
        if not isinstance(changed, dict) or not changed:
            break
    require_file_or_error(written(tmp_path / "a.json", json.loads(json.dumps(changed))))
