# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Instances and samples as COCO entries."""

import numpy as np
from pycocotools import mask as rle
from rectangles import CAR, WALKER, instances, rectangle, sample

from fcis_ros.metrics.coco_results import encode_mask, to_annotations, to_results


def test_results_use_given_categories():
    entry = to_results(instances((2, WALKER, 0.5)), image_id=4, category_ids=[3, 17])[0]
    assert (entry["image_id"], entry["category_id"], entry["bbox"], entry["score"]) == (4, 17, [0, 30, 10, 20], 0.5)
    assert entry["segmentation"] == encode_mask(rectangle(*WALKER))


def test_an_annotation_says_what_the_mask_says():
    (entry,) = to_annotations(sample((2, CAR, True)), image_id=7, first_id=3)
    assert (entry["id"], entry["image_id"], entry["category_id"], entry["iscrowd"]) == (3, 7, 2, 1)
    assert (entry["bbox"], entry["area"]) == ([0, 0, 20, 20], 400)
    assert np.array_equal(rle.decode(entry["segmentation"]), rectangle(*CAR))
