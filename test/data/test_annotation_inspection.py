# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from coco_files import HEIGHT, WIDTH, content, written

from fcis_ros.data.annotation_inspection import inspect_annotations
from fcis_ros.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """The two images of the content."""
    (tmp_path / "images/more").mkdir(parents=True)
    for name in ("a.png", "more/b.png"):
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return tmp_path / "images"


def test_inspect_annotations_whole_file_has_its_numbers(folder, tmp_path):
    inspection = inspect_annotations(written(tmp_path / "a.json", content()), folder, None)
    assert inspection.kind == "annotations" and inspection.findings == ()
    facts = {"images": 2, "objects": 2, "crowd regions": 1, "classes": {"car": 2, "dog": 1}, "polygons": 1, "run lengths": 2}
    assert facts.items() <= inspection.facts.items() and inspection.facts["images without objects"] == 1
    assert inspection.uses["train"] == "takes 2 of 2 images" and "by name" in inspection.uses["evaluate-bag"]


def test_inspect_annotations_everything_that_is_lost_is_found(folder, tmp_path):
    changed = content()
    changed["images"].append({"id": 4, "file_name": "c.png", "height": HEIGHT, "width": WIDTH})
    changed["annotations"] += [
        {"image_id": 4, "category_id": 2, "segmentation": [[3, 3]]},
        {"image_id": 3, "category_id": 2, "segmentation": []},
        {"image_id": 99, "category_id": 2, "segmentation": [[3, 3, 9, 3, 9, 9]]},
    ]
    (folder / "more/b.png").write_bytes(b"cut")
    inspection = inspect_annotations(written(tmp_path / "a.json", changed), folder, ("Car", "bus"))
    lost = "\n".join(str(finding) for finding in inspection.findings if finding.lost)
    for said in ("a.json: 1 annotation of 1 image not listed", "a.json: 1 object without a mask", "a.json: 1 of 3 images"):
        assert said in lost
    assert "images: 2 of 3 images cannot be used: more/b.png (not an image" in lost and "c.png (no such image" in lost
    remarks = [finding.text for finding in inspection.findings if not finding.lost]
    assert remarks == ["1 object of class dog, which the model does not have", "1 class of the model is not in it: bus"]
    assert inspection.uses["train"] == "refuses it; with --skip-damaged takes 1 of 3 images"
    assert inspection.facts["broken annotations"] == 1 and inspection.facts["objects without mask"] == 1


@pytest.mark.parametrize(("stamped", "said"), [(1, "refuses it: some images"), (2, "matches frames by stamp_ns")])
def test_inspect_annotations_stamps_decide_how_frames_match(tmp_path, stamped, said):
    changed = content()
    for number, image in enumerate(changed["images"][:stamped]):
        image["stamp_ns"] = number
    assert inspect_annotations(written(tmp_path / "a.json", changed), None, None).uses["evaluate-bag"].startswith(said)


def test_inspect_annotations_file_without_masks_is_refused(tmp_path):
    boxes = {**content(), "annotations": [{"image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4]}]}
    with pytest.raises(InputError, match="no masks"):
        inspect_annotations(written(tmp_path / "a.json", boxes), None, None)


def test_inspect_annotations_object_without_a_mask_is_measured_but_not_trained_on(folder, tmp_path):
    changed = content()
    changed["annotations"].append({"image_id": 3, "category_id": 2, "segmentation": []})
    uses = inspect_annotations(written(tmp_path / "a.json", changed), folder, None).uses
    assert uses["train"] == "refuses it; with --skip-damaged takes 1 of 2 images"
    assert uses["evaluate"] == "measures 2 of 2 images, with a model of these classes"


def test_inspect_annotations_without_a_usable_image_says_that_they_are_refused(tmp_path):
    (tmp_path / "images").mkdir()
    uses = inspect_annotations(written(tmp_path / "a.json", content()), tmp_path / "images", None).uses
    assert uses["train"] == uses["evaluate"] == "refuses it: no image can be used"
