# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json
import re

import cv2
import numpy as np
import pytest
from bag_evaluations import NAMES, OBJECTS, instances

from fcis_ros.evaluation import annotated_images
from fcis_ros.evaluation.annotated_images import AnnotatedImages, evaluate_images, shown_images
from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
from fcis_ros.findings import Unusable
from fcis_ros.structures import Prediction

BOXES = [(x, y, x + w, y + h) for x, y, w, h in OBJECTS]


class Network:
    """Finds the first object with 0.9, the second with 0.3, and not the third."""

    def predict(self, images, score_floor):
        return [Prediction(instances(BOXES[:2], [0.9, 0.3], [1, 1]), {}, 0) for _ in images]


@pytest.fixture
def images(tmp_path):
    """One image with three cars and a crowd region, and one with nothing."""
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.full((96, 128, 3), 90, np.uint8))
    segmentations = [[[x1, y1, x2, y1, x2, y2, x1, y2]] for x1, y1, x2, y2 in BOXES]
    crowd = {"size": [96, 128], "counts": [0, 96 * 128]}
    annotations = [{"image_id": 7, "category_id": 5, "segmentation": polygon} for polygon in segmentations]
    annotations.append({"image_id": 7, "category_id": 5, "segmentation": crowd, "iscrowd": 1})
    entries = [{"id": i, "file_name": name, "height": 96, "width": 128} for i, name in ((7, "a.png"), (8, "b.png"))]
    content = {"images": entries, "annotations": annotations, "categories": [{"id": 5, "name": "car"}]}
    (tmp_path / "truth.json").write_text(json.dumps(content))
    ground_truth = ImageGroundTruth.load(tmp_path / "truth.json", NAMES)
    return AnnotatedImages(ground_truth, ground_truth.images, tmp_path)


def test_shown_images_picture_has_detections_and_missed_objects(images, monkeypatch):
    monkeypatch.setattr(annotated_images, "picture", lambda image, shown, missed: (image.shape, len(shown.scores), missed))
    evaluated = list(evaluate_images(images, images.entries[:1], Network()))
    for score, detections, missed in ((0.2, 2, [BOXES[2]]), (0.5, 1, BOXES[1:]), (0.95, 0, BOXES)):
        ((_, result, (shape, count, objects)),) = shown_images(images, evaluated, Network(), score)
        assert (result.id, shape, count) == (7, (96, 128, 3), detections)
        corners = [(x, y, x + w, y + h) for x, y, w, h in (entry["bbox"] for entry in objects)]
        assert corners == [tuple(map(float, box)) for box in missed]  # without the crowd region


def put(path, content):
    """Replaces an image by another, by bytes, or by nothing."""
    if isinstance(content, np.ndarray):
        cv2.imwrite(str(path), content)
    elif content is None:
        path.unlink()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (np.zeros((96, 130, 3), np.uint8), "130x96 pixels, but .*truth.json says 128x96"),
        (b"no image", "not an image"),
        (None, "no such image file"),
    ],
)
def test_evaluate_images_unusable_image_is_left_out_whole(images, tmp_path, content, reason):
    put(tmp_path / "b.png", content)
    first, second = evaluate_images(images, images.entries, Network())
    assert (first.id, first.matches.objects.shape[0]) == (7, 4)
    assert isinstance(second, Unusable) and second.name == "b.png" and re.match(reason, second.reason)


def test_evaluate_images_broken_annotation_leaves_its_image_out(images, tmp_path):
    content = json.loads((tmp_path / "truth.json").read_text())
    content["annotations"].append({"image_id": 8, "category_id": 5, "segmentation": [[3, 3]]})
    (tmp_path / "truth.json").write_text(json.dumps(content))
    ground_truth = ImageGroundTruth.load(tmp_path / "truth.json", NAMES)
    broken = AnnotatedImages(ground_truth, ground_truth.images, tmp_path)
    _, second = evaluate_images(broken, broken.entries, Network())
    assert second == Unusable("b.png", "annotations[4]: a polygon is not a list of at least three x, y pairs")
