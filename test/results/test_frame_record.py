# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Records of frames by hand, and joined from random images."""

import json
import random

import numpy as np
from coco_scenes import matches_of, scene

from fcis_ros.metrics.average_precision import Table
from fcis_ros.results.frame_record import count_detections, is_frame_record, to_table, with_matches

FRAME = {
    "bag": 0, "index": 3, "stamp": 7, "log_time": 7, "moment": 0, "height": 120, "width": 160, "own_id": 4, "image_id": 4,
    "listed": True, "tracked": False, "repeated": False, "name": "3.png", "problem": None, "truth": 4,
    "ends": {"detections": 2, "unannotated": 2, "annotations": 19},
}  # fmt: skip


def test_count_detections_few_detections_are_counted_by_hand():
    """A true positive, a false positive, an ignored detection; a detected object, a crowd region and an undetected object."""
    record = {
        "scores": [0.9, 0.6, 0.5], "masks": [[1] * 4, [0] * 4, [1 << 10] * 4],
        "objects": [[1, 0, 400.0, 0.9], [1, 1, 900.0, 0.0], [2, 0, 300.0, 0.0]],
    }  # fmt: skip
    for score, expected in ((0.5, (1, 1, 1, 300, 3)), (0.7, (1, 0, 1, 300, 1)), (0.95, (0, 0, 2, 400, 0))):
        counts = count_detections(record, score)
        assert (counts.true_positives, counts.false_positives, counts.false_negatives) == expected[:3]
        assert (counts.largest_missed, counts.detections) == expected[3:]


def test_to_table_records_in_any_order_equal_joined_images():
    matches = matches_of(*scene(4, 9, tie=True), range(1, 10))
    records = [with_matches({**FRAME, "image_id": 2 * i}, image, 0.5) for i, image in enumerate(matches)]
    records = json.loads(json.dumps(records))
    random.Random(0).shuffle(records)
    joined, expected = to_table(records), Table.of(matches)
    assert joined.images == expected.images
    for name in ("object_images", "image", "ignored"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(expected, name))
    for name, values in vars(expected.matches).items():
        np.testing.assert_array_equal(getattr(joined.matches, name), values)


def test_is_frame_record_changed_field_is_refused():
    record = with_matches(FRAME, matches_of(*scene(4, 9, tie=True), [2])[0], 0.5)
    assert len(record["labels"]) > 1 < len(record["objects"]) and is_frame_record(record, 1, 3)
    for change in (
        {"bag": 1}, {"bag": -1}, {"truth": 0.5}, {"rates": record["rates"][1:]}, {"voc": record["voc"][1:]},
        {"masks": [codes[1:] for codes in record["masks"]]}, {"objects": [row[1:] for row in record["objects"]]},
        {"labels": [4] * len(record["labels"])}, {"labels": [0] * len(record["labels"])},
        {"other_classes": {"dog": "two"}}, {"other_classes": ["dog"]},
    ):  # fmt: skip
        assert not is_frame_record({**record, **change}, 1, 3), change
