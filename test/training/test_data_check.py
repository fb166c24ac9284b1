# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import hashlib
import json

import cv2
import numpy as np
import pytest

from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.errors import InputError
from fcis_ros.training.data_check import check_images
from fcis_ros.training.distributed import ALONE


@pytest.fixture
def make(tmp_path):
    """Opens six images with a box each, after changes of the content."""

    def photos(**changes) -> CocoDataset:
        images = [{"id": i, "file_name": f"{i}.png", "height": 20, "width": 30} for i in range(6)]
        objects = [{"image_id": i, "category_id": 1, "segmentation": [[3, 3, 9, 3, 9, 9]]} for i in range(6)]
        content = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": "car"}], **changes}
        (tmp_path / "a.json").write_text(json.dumps(content))
        return CocoDataset(tmp_path / "a.json", tmp_path, ("car",))

    for i in range(6):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((20, 30, 3), i, np.uint8))
    return photos


def test_check_images_whole_data_has_digests_of_all(make, tmp_path, capfd):
    checked = check_images(make(), False, ALONE)
    assert checked.digests == {f"{i}.png": hashlib.sha256((tmp_path / f"{i}.png").read_bytes()).hexdigest() for i in range(6)}
    assert len(checked.images) == 6 and checked.excluded == () and checked.findings == ()
    assert "checking the images: 100%" in capfd.readouterr().err


def test_check_images_damage_is_refused_with_the_first_names(make, tmp_path):
    for i in (1, 2, 3, 4):
        (tmp_path / f"{i}.png").write_bytes(b"")
    said = r"a.json: 4 of 6 images cannot be used: 1.png \(not an image.* and 1 more .*fcis check"
    with pytest.raises(InputError, match=said) as error:
        check_images(make(), False, ALONE)
    assert "4.png" not in str(error.value) and "\n" not in str(error.value)


def test_check_images_damage_can_be_left_out(make, tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((20, 31, 3), np.uint8))
    checked = check_images(make(), True, ALONE)
    assert checked.excluded == ("1.png",) and checked.images.file_names == ["0.png", "2.png", "3.png", "4.png", "5.png"]
    assert "1 of 6 images cannot be used: 1.png (31x20 pixels" in checked.findings[0].text and "1.png" not in checked.digests
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((20, 30, 3), np.uint8))  # repaired, but not part of the run
    again = check_images(make(), False, ALONE, checked.excluded)
    assert again.digests == checked.digests and again.excluded == checked.excluded
    assert [finding.text for finding in again.findings] == ["1 image left out by an earlier start: 1.png"]


def test_check_images_annotations_that_are_lost_are_refused(make):
    objects = [{"image_id": 99 * (i == 2), "category_id": 1, "segmentation": [[3, 3, 9, 3, 9, 9]]} for i in range(6)]
    with pytest.raises(InputError, match=r"1 annotation of 1 image not listed \(ids 99\) .*--skip-damaged"):
        check_images(make(annotations=objects), False, ALONE)
    assert len(check_images(make(annotations=objects), True, ALONE).images) == 6


def test_check_images_without_a_usable_image_is_refused(make, tmp_path):
    for path in tmp_path.glob("*.png"):
        path.unlink()
    with pytest.raises(InputError, match="no image can be used: 6 of 6 images cannot be used: 0.png .no such image file"):
        check_images(make(), True, ALONE)
    with pytest.raises(InputError, match="no image can be used: it lists none"):
        check_images(make(images=[], annotations=[]), True, ALONE)
