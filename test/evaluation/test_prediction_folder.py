# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json

import cv2
import pytest
from bag_evaluations import NAMES, Network

from fcis_ros.errors import InputError
from fcis_ros.evaluation.prediction_folder import predict_images, write_predictions


def test_predict_images_damaged_file_is_named_among_the_others(files):
    files[1].path.write_bytes(b"no image")
    predicted = list(predict_images(files, Network(), 0.0))
    assert [frame.decoded.frame.id for frame in predicted] == [10, 11, 12]
    assert [frame.instances is None for frame in predicted] == [False, True, False]
    assert predicted[1].decoded.problem == f"{files[1].path}: not an image that can be decoded"


def test_write_predictions_class_without_category_is_left_out(files, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    written = write_predictions(predict_images(files, Network(), 0.0), 0.5, [None, 7], NAMES, folder)
    assert written.instances == 0 == len(json.loads((folder / "results.json").read_text()))  # all are cars
    written = write_predictions(predict_images(files, Network(), 0.0), 0.5, [5, None], NAMES, folder)
    results = json.loads((folder / "results.json").read_text())
    assert written.instances == len(results) > 1 and {result["category_id"] for result in results} == {5}
    images = json.loads((folder / "images.json").read_text())
    assert images["categories"] == [{"id": 5, "name": "car"}]
    assert images["images"][2] == {"id": 12, "file_name": "2.png", "height": 96, "width": 128}
    assert sorted(path.name for path in folder.glob("*.jpg")) == [f"{number}.png.overlay.jpg" for number in range(3)]


def test_write_predictions_score_threshold_decides_what_is_drawn(files, tmp_path):
    image, differences = cv2.imread(str(files[0].path)).astype(int), []
    score = float(Network().predict([cv2.imread(str(files[0].path))], 0)[0].instances.scores.max())
    for threshold in (score, 1.0):
        write_predictions(predict_images(files[:1], Network(), 0.0), threshold, [1, 2], NAMES, tmp_path)
        differences.append(abs(cv2.imread(str(tmp_path / "0.png.overlay.jpg")) - image).max())
    assert differences[0] > 60 > 20 > differences[1]  # JPEG's errors are small


def test_write_predictions_unwritable_overlay_is_an_error(files, tmp_path):
    with pytest.raises(OSError):
        write_predictions(predict_images(files, Network(), 0.0), 0.5, [1, 2], NAMES, tmp_path / "missing")


def test_write_predictions_unusable_images_are_left_out_and_named(files, tmp_path):
    files[0].path.write_bytes(b"no image")
    (tmp_path / "out").mkdir()
    written = write_predictions(predict_images(files, Network(), 0.0), 0.5, [1, 2], NAMES, tmp_path / "out")
    assert (written.images, written.unusable) == (2, (("0.png", "not an image that can be decoded"),))
    assert [image["id"] for image in json.loads((tmp_path / "out/images.json").read_text())["images"]] == [11, 12]
    assert {result["image_id"] for result in json.loads((tmp_path / "out/results.json").read_text())} == {11, 12}
    assert not (tmp_path / "out/0.png.overlay.jpg").exists()
    for file in files:
        file.path.write_bytes(b"")
    with pytest.raises(InputError, match="none of 3 images can be used; the first: 0.png: .*empty"):
        write_predictions(predict_images(files, Network(), 0.0), 0.5, [1, 2], NAMES, tmp_path / "out")
