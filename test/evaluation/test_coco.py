"""AP on cases that can be checked by hand."""

import numpy as np
import pytest

from fcis_ros.evaluation.coco import eleven_point_ap, encode_mask, evaluate, evaluate_annotations, to_results
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


def test_annotations_as_polygons_and_inputs_untouched():
    images = [{"id": 7, "height": 60, "width": 80}]
    polygon = [[0, 0, 20, 0, 20, 20, 0, 20]]
    annotations = [
        {"id": 3, "image_id": 7, "category_id": 1, "segmentation": polygon, "bbox": [0, 0, 20, 20], "area": 400, "iscrowd": 0}
    ]
    results = to_results(instances((1, CAR, 0.9)), image_id=7)
    before = [dict(result) for result in results]
    assert evaluate_annotations(images, annotations, results, NAMES)["segm"]["AP"] == pytest.approx(1)
    assert results == before and annotations[0]["segmentation"] is polygon


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
