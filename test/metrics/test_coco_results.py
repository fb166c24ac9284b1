# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Instances and samples as entries of COCO files."""

import numpy as np
from pycocotools import mask as rle
from rectangles import CAR, WALKER, instances, rectangle, sample

from fcis_ros.metrics.coco_results import encode_mask, to_annotations, to_results


def test_to_results_category_ids_are_used():
    entry = to_results(instances((2, WALKER, 0.5)), image_id=4, category_ids=[3, 17])[0]
    assert (entry["image_id"], entry["category_id"], entry["bbox"], entry["score"]) == (4, 17, [0, 30, 10, 20], 0.5)
    assert entry["segmentation"] == encode_mask(rectangle(*WALKER))


def test_to_annotations_crowd_has_box_area_and_mask():
    (entry,) = to_annotations(sample((2, CAR, True)), image_id=7, first_id=3)
    assert (entry["id"], entry["image_id"], entry["category_id"], entry["iscrowd"]) == (3, 7, 2, 1)
    assert (entry["bbox"], entry["area"]) == ([0, 0, 20, 20], 400)
    assert np.array_equal(rle.decode(entry["segmentation"]), rectangle(*CAR))
