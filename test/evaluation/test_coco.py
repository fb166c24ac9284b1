# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""AP on cases that can be checked by hand."""

import numpy as np
import pytest
from pycocotools import mask as rle

from fcis_ros.evaluation.coco import (
    eleven_point_ap,
    encode_mask,
    evaluate,
    evaluate_annotations,
    to_annotations,
    to_results,
    voc_map,
)
from fcis_ros.structures import Instances, Sample

NAMES = ("car", "pedestrian")


def rectangle(x1, y1, x2, y2, height=60, width=80):
    mask = np.zeros((height, width), dtype=bool)
    mask[y1:y2, x1:x2] = True
    return mask


def sample(*objects, name="a.png"):
    """Each object is (label, (x1, y1, x2, y2), crowd)."""
    return Sample(
        image=np.zeros((60, 80, 3), dtype=np.uint8),
        masks=np.array([rectangle(*box) for _, box, _ in objects]).reshape(len(objects), 60, 80).astype(bool),
        labels=np.array([label for label, _, _ in objects], dtype=np.int64),
        crowd=np.array([crowd for _, _, crowd in objects], dtype=bool),
        name=name,
    )


def instances(*found):
    """Each is (label, (x1, y1, x2, y2), score), best first."""
    return Instances(
        height=60,
        width=80,
        boxes=np.array([box for _, box, _ in found], dtype=np.int32).reshape(-1, 4),
        scores=np.array([score for _, _, score in found], dtype=np.float32),
        labels=np.array([label for label, _, _ in found], dtype=np.int64),
        runs=tuple(np.array([0, (y2 - y1) * (x2 - x1)], dtype=np.uint32) for _, (x1, y1, x2, y2), _ in found),
        class_names=NAMES,
    )


CAR, OTHER, WALKER = (0, 0, 20, 20), (40, 0, 60, 20), (0, 30, 10, 50)


def test_perfect():
    truth = [sample((1, CAR, False), (2, WALKER, False)), sample((1, OTHER, False))]
    found = [instances((1, CAR, 0.9), (2, WALKER, 0.8)), instances((1, OTHER, 0.7))]
    ap = evaluate(truth, found, NAMES)
    assert ap["segm"] == ap["bbox"] == pytest.approx({"AP": 1, "AP50": 1, "AP75": 1})
    assert ap["per_class"] == pytest.approx({"car": 1, "pedestrian": 1})
    assert ap["mAPr"] == pytest.approx({"0.5": 1, "0.7": 1})


def test_one_of_two_found():
    ap = evaluate([sample((1, CAR, False), (1, OTHER, False))], [instances((1, CAR, 0.9))], NAMES)
    assert ap["segm"]["AP50"] == pytest.approx(51 / 101)  # precision 1 at recalls 0 .. 0.5
    assert ap["mAPr"]["0.5"] == pytest.approx(6 / 11)
    assert ap["per_class"] == {"car": pytest.approx(51 / 101), "pedestrian": None}


def test_wrong_before_right_halves_precision():
    ap = evaluate([sample((1, CAR, False))], [instances((1, OTHER, 0.9), (1, CAR, 0.8))], NAMES)
    assert ap["segm"]["AP50"] == pytest.approx(0.5)
    assert ap["mAPr"]["0.5"] == pytest.approx(0.5)


def test_iou_decides():
    """Mask IoU 15 / 20 = 0.75: right up to 0.75 (six of ten thresholds), wrong beyond."""
    ap = evaluate([sample((1, CAR, False))], [instances((1, (0, 0, 20, 15), 0.9))], NAMES)
    assert ap["segm"] == pytest.approx({"AP": 0.6, "AP50": 1, "AP75": 1})
    assert ap["mAPr"] == pytest.approx({"0.5": 1, "0.7": 1})
    ap = evaluate([sample((1, CAR, False))], [instances((1, (0, 0, 20, 12), 0.9))], NAMES)
    assert ap["mAPr"] == pytest.approx({"0.5": 1, "0.7": 0})


def test_second_result_on_one_object_is_wrong():
    truth = [sample((1, CAR, False), (1, OTHER, False))]
    found = [instances((1, CAR, 0.9), (1, (0, 0, 20, 19), 0.8), (1, OTHER, 0.7))]
    ap = evaluate(truth, found, NAMES)
    assert ap["mAPr"]["0.5"] == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)


def test_crowd_is_ignored():
    truth = [sample((1, CAR, False), (1, OTHER, True))]
    inside_crowd = (42, 2, 50, 10)
    ap = evaluate(truth, [instances((1, inside_crowd, 0.9), (1, CAR, 0.8))], NAMES)
    assert ap["segm"]["AP"] == pytest.approx(1)
    assert ap["mAPr"]["0.7"] == pytest.approx(1)


def test_nothing_found():
    ap = evaluate([sample((1, CAR, False))], [instances()], NAMES)
    assert ap["segm"] == ap["bbox"] == {"AP": 0, "AP50": 0, "AP75": 0}
    assert ap["per_class"] == {"car": 0, "pedestrian": None}
    assert ap["mAPr"] == {"0.5": 0, "0.7": 0}


@pytest.mark.parametrize("found", [instances(), instances((1, CAR, 0.9))])
def test_nothing_annotated(found):
    ap = evaluate([sample()], [found], NAMES)
    assert ap["segm"] == ap["bbox"] == {"AP": None, "AP50": None, "AP75": None}
    assert ap["per_class"] == {"car": None, "pedestrian": None}
    assert ap["mAPr"] == {"0.5": None, "0.7": None}


def test_other_class_does_not_match():
    assert evaluate([sample((1, CAR, False))], [instances((2, CAR, 0.9))], NAMES)["segm"]["AP50"] == 0


def test_annotations_are_left_as_they_are():
    images = [{"id": 7, "height": 60, "width": 80}]
    annotations = to_annotations(sample((1, CAR, False)), image_id=7, first_id=3)
    results = to_results(instances((1, CAR, 0.9)), image_id=7)
    before = [dict(entry) for entry in (*annotations, *results)]
    assert evaluate_annotations(images, annotations, results, NAMES)["segm"]["AP"] == pytest.approx(1)
    assert [*annotations, *results] == before


def voc_by_definition(images, annotations, results, label, iou):
    """AP of one class, pair by pair and mask by mask."""
    right, total = [], 0
    for image in images:
        own = [a for a in annotations if a["image_id"] == image and a["category_id"] == label]
        total += len(own)
        taken = set()
        for result in [r for r in results if r["image_id"] == image and r["category_id"] == label]:
            mask = rle.decode(result["segmentation"])
            ious = [(rle.decode(a["segmentation"]) & mask).sum() / (rle.decode(a["segmentation"]) | mask).sum() for a in own]
            best = int(np.argmax(ious)) if ious else None
            hit = best is not None and ious[best] >= iou and best not in taken
            taken |= {best} if hit else set()
            right.append((result["score"], hit))
    return eleven_point_ap([hit for _, hit in sorted(right, key=lambda pair: -pair[0])], total) if total else None


def test_voc_map_over_many_images_by_definition():
    rng = np.random.default_rng(0)
    images, annotations, results = range(1, 13), [], []

    def box():
        x, y = rng.integers(0, 60), rng.integers(0, 40)
        return (x, y, x + rng.integers(5, 20), y + rng.integers(5, 20))

    for image_id in images:
        objects = [(int(rng.integers(1, 3)), box(), False) for _ in range(3)]
        annotations += to_annotations(sample(*objects), image_id, len(annotations) + 1)
        near = [(label, tuple(np.array(place) + [0, 0, 0, rng.integers(0, 3)])) for label, place, _ in objects]
        scores = np.sort(rng.permutation(1000)[:6])[::-1] / 1000 + image_id * 1e-5
        found = [*near, *((int(rng.integers(1, 3)), box()) for _ in range(3))]
        placed = zip(found, scores, strict=True)
        results += to_results(instances(*((label, place, score) for (label, place), score in placed)), image_id)
    for iou in (0.5, 0.7):
        expected = [voc_by_definition(images, annotations, results, label, iou) for label in (1, 2)]
        assert 0.1 < min(expected) and max(expected) < 1
        assert voc_map(annotations, results, 2, iou) == pytest.approx(np.mean(expected), abs=1e-12)
        shuffled = [results[i] for i in rng.permutation(len(results))]
        assert voc_map(annotations, shuffled, 2, iou) == pytest.approx(np.mean(expected), abs=1e-12)


def test_results_use_given_categories():
    entry = to_results(instances((2, WALKER, 0.5)), image_id=4, category_ids=[3, 17])[0]
    assert (entry["image_id"], entry["category_id"], entry["bbox"], entry["score"]) == (4, 17, [0, 30, 10, 20], 0.5)
    assert entry["segmentation"] == encode_mask(rectangle(*WALKER))


@pytest.mark.parametrize(
    ("right", "total", "expected"),
    [
        ([], 1, 0),
        ([True], 1, 1),
        ([False], 1, 0),
        ([True], 10, 2 / 11),
        ([False, True], 1, 0.5),
        ([True, False, True], 2, (6 + 5 * 2 / 3) / 11),
    ],
)
def test_eleven_point_ap(right, total, expected):
    assert eleven_point_ap(right, total) == pytest.approx(expected)
