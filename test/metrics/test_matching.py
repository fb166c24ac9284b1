# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""AP on cases that can be checked by hand."""

import numpy as np
import pytest
from rectangles import CAR, NAMES, OTHER, WALKER, instances, sample

from fcis_ros.metrics.average_precision import Table, eleven_point_ap, measure
from fcis_ros.metrics.coco_results import to_annotations, to_results
from fcis_ros.metrics.matching import match_image


def measured(truth, found):
    """AP of an image's instances after another's."""
    pairs = zip(truth, found, strict=True)
    return measure(Table.of([match_image(to_annotations(there, 1, 1), to_results(own, 1)) for there, own in pairs]), NAMES)


def masks(ap):
    return {name: ap["segm"][name] for name in ("AP", "AP50", "AP75")}


def test_perfect():
    truth = [sample((1, CAR, False), (2, WALKER, False)), sample((1, OTHER, False))]
    found = [instances((1, CAR, 0.9), (2, WALKER, 0.8)), instances((1, OTHER, 0.7))]
    ap = measured(truth, found)
    assert masks(ap) == ap["bbox"] == pytest.approx({"AP": 1, "AP50": 1, "AP75": 1})
    assert ap["per_class"] == pytest.approx({"car": 1, "pedestrian": 1})
    assert ap["mAPr"] == pytest.approx({"0.5": 1, "0.7": 1})


def test_one_of_two_found():
    ap = measured([sample((1, CAR, False), (1, OTHER, False))], [instances((1, CAR, 0.9))])
    assert ap["segm"]["AP50"] == pytest.approx(51 / 101)  # precision 1 at recalls 0 .. 0.5
    assert ap["mAPr"]["0.5"] == pytest.approx(6 / 11)
    assert ap["per_class"] == {"car": pytest.approx(51 / 101), "pedestrian": None}


def test_wrong_before_right_halves_precision():
    ap = measured([sample((1, CAR, False))], [instances((1, OTHER, 0.9), (1, CAR, 0.8))])
    assert ap["segm"]["AP50"] == pytest.approx(0.5)
    assert ap["mAPr"]["0.5"] == pytest.approx(0.5)


def test_iou_decides():
    """Mask IoU 15 / 20 = 0.75: right up to 0.75 (six of ten thresholds), wrong beyond."""
    ap = measured([sample((1, CAR, False))], [instances((1, (0, 0, 20, 15), 0.9))])
    assert masks(ap) == pytest.approx({"AP": 0.6, "AP50": 1, "AP75": 1})
    assert ap["mAPr"] == pytest.approx({"0.5": 1, "0.7": 1})
    ap = measured([sample((1, CAR, False))], [instances((1, (0, 0, 20, 12), 0.9))])
    assert ap["mAPr"] == pytest.approx({"0.5": 1, "0.7": 0})


def test_second_result_on_one_object_is_wrong():
    truth = [sample((1, CAR, False), (1, OTHER, False))]
    found = [instances((1, CAR, 0.9), (1, (0, 0, 20, 19), 0.8), (1, OTHER, 0.7))]
    ap = measured(truth, found)
    assert ap["mAPr"]["0.5"] == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)


def test_crowd_is_ignored():
    truth = [sample((1, CAR, False), (1, OTHER, True))]
    inside_crowd = (42, 2, 50, 10)
    ap = measured(truth, [instances((1, inside_crowd, 0.9), (1, CAR, 0.8))])
    assert ap["segm"]["AP"] == pytest.approx(1)
    assert ap["mAPr"]["0.7"] == pytest.approx(1)


def test_nothing_found():
    ap = measured([sample((1, CAR, False))], [instances()])
    assert masks(ap) == ap["bbox"] == {"AP": 0, "AP50": 0, "AP75": 0}
    assert ap["per_class"] == {"car": 0, "pedestrian": None}
    assert ap["mAPr"] == {"0.5": 0, "0.7": 0}


@pytest.mark.parametrize("found", [instances(), instances((1, CAR, 0.9))])
def test_nothing_annotated(found):
    ap = measured([sample()], [found])
    assert masks(ap) == ap["bbox"] == {"AP": None, "AP50": None, "AP75": None}
    assert ap["per_class"] == {"car": None, "pedestrian": None}
    assert ap["mAPr"] == {"0.5": None, "0.7": None}


def test_other_class_does_not_match():
    assert measured([sample((1, CAR, False))], [instances((2, CAR, 0.9))])["segm"]["AP50"] == 0


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
    assert eleven_point_ap(np.array(right, bool), total, np.ones(len(right))) == pytest.approx(expected)
