# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools.coco import COCO

from fcis_ros.data.coco_writer import to_coco
from fcis_ros.data.instance_maps import InstanceMap, Region


@given(arrays.arrays(np.int64, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.integers(0, 5)))
def test_to_coco_result_is_readable_by_pycocotools(values):
    regions = {1: Region(7), 2: Region(7, crowd=True), 4: Region(9)}  # 3 and 5 mean nothing
    content = to_coco([InstanceMap("a.png", values, regions), InstanceMap("b.png", values, {})], {7: "car", 9: "bus"})
    coco = COCO()
    coco.dataset = json.loads(json.dumps(content))
    coco.createIndex()
    assert [image["file_name"] for image in coco.dataset["images"]] == ["a.png", "b.png"] and not coco.getAnnIds(imgIds=[2])
    present = [value for value in regions if (values == value).any()]
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert len(annotations) == len(present)
    for value, annotation in zip(present, annotations, strict=True):
        mask = values == value
        np.testing.assert_array_equal(coco.annToMask(annotation), mask)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
        assert annotation["bbox"] == box and annotation["area"] == mask.sum()
        assert (annotation["category_id"], bool(annotation["iscrowd"])) == (regions[value].category_id, regions[value].crowd)
