# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Matches and AP of cases that can be checked by hand."""

import pytest
from rectangles import CAR, NAMES, OTHER, WALKER, instances, sample

from fcis_ros.metrics.average_precision import Table, measure
from fcis_ros.metrics.coco_results import to_annotations, to_results
from fcis_ros.metrics.matching import match_image

ONE_CAR = sample((1, CAR, False))
TWO_CARS = sample((1, CAR, False), (1, OTHER, False))


def measured(*pairs):
    """AP of (sample, instances) of each image."""
    return measure(Table.of([match_image(to_annotations(truth, 1, 1), to_results(found, 1)) for truth, found in pairs]), NAMES)


def masks(ap):
    return {name: ap["segm"][name] for name in ("AP", "AP50", "AP75")}


@pytest.mark.parametrize(
    ("pairs", "value", "per_class"),
    [
        pytest.param(
            [
                (sample((1, CAR, False), (2, WALKER, False)), instances((1, CAR, 0.9), (2, WALKER, 0.8))),
                (sample((1, OTHER, False)), instances((1, OTHER, 0.7))),
            ],
            1, {"car": 1, "pedestrian": 1}, id="all detected",
        ),
        pytest.param([(ONE_CAR, instances())], 0, {"car": 0, "pedestrian": None}, id="no detection"),
        pytest.param([(ONE_CAR, instances((2, CAR, 0.9)))], 0, {"car": 0, "pedestrian": None}, id="other class"),
        pytest.param([(sample(), instances())], None, {"car": None, "pedestrian": None}, id="empty"),
        pytest.param([(sample(), instances((1, CAR, 0.9)))], None, {"car": None, "pedestrian": None}, id="no object"),
    ],
)  # fmt: skip
def test_measure_uniform_case_gives_one_value(pairs, value, per_class):
    ap = measured(*pairs)
    assert masks(ap) == ap["bbox"] == pytest.approx(dict.fromkeys(("AP", "AP50", "AP75"), value))
    assert ap["per_class"] == pytest.approx(per_class) and ap["mAPr"] == pytest.approx({"0.5": value, "0.7": value})


@pytest.mark.parametrize(
    ("truth", "found", "ap50", "mapr"),
    [
        pytest.param(TWO_CARS, [(1, CAR, 0.9)], 51 / 101, 6 / 11, id="precision 1 at recalls 0 to 0.5"),
        pytest.param(ONE_CAR, [(1, OTHER, 0.9), (1, CAR, 0.8)], 0.5, 0.5, id="false positive with the higher score"),
        pytest.param(
            TWO_CARS, [(1, CAR, 0.9), (1, (0, 0, 20, 19), 0.8), (1, OTHER, 0.7)], (51 + 50 * 2 / 3) / 101,
            (6 + 5 * 2 / 3) / 11, id="second detection of one object",
        ),
        pytest.param(
            sample((1, CAR, False), (1, OTHER, True)), [(1, (42, 2, 50, 10), 0.9), (1, CAR, 0.8)], 1, 1, id="inside a crowd"
        ),
    ],
)  # fmt: skip
def test_measure_one_image_gives_value_by_hand(truth, found, ap50, mapr):
    ap = measured((truth, instances(*found)))
    assert (ap["segm"]["AP50"], ap["mAPr"]["0.5"]) == pytest.approx((ap50, mapr))


def test_measure_mask_iou_decides_by_threshold():
    """Mask IoU 15 / 20 = 0.75: a match up to 0.75 (six of ten thresholds), none above; 12 / 20 = 0.6."""
    ap = measured((ONE_CAR, instances((1, (0, 0, 20, 15), 0.9))))
    assert masks(ap) == pytest.approx({"AP": 0.6, "AP50": 1, "AP75": 1})
    assert ap["mAPr"] == pytest.approx({"0.5": 1, "0.7": 1})
    ap = measured((ONE_CAR, instances((1, (0, 0, 20, 12), 0.9))))
    assert ap["mAPr"] == pytest.approx({"0.5": 1, "0.7": 0})
