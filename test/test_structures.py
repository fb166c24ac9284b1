# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fcis_ros.structures import Instances


def test_from_masks_cuts_each_mask_to_its_tight_box():
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 1:3, 2:5], masks[0, 1, 2] = True, False
    masks[1, 3, 0] = True
    instances = Instances.from_masks(masks, np.array([0.9, 0.4]), np.array([2, 1], np.int32), ("car", "tree"))
    assert (instances.height, instances.width, instances.class_names) == (4, 6, ("car", "tree"))
    assert instances.boxes.tolist() == [[2, 1, 5, 3], [0, 3, 1, 4]] and instances.boxes.dtype == np.int32
    assert [runs.tolist() for runs in instances.runs] == [[1, 5], [0, 1]]
    assert instances.scores.dtype == np.float32 and instances.labels.dtype == np.int64
    assert instances.labels.tolist() == [2, 1]
    assert np.array_equal(instances.masks, masks)


def test_from_masks_without_masks_keeps_the_size():
    instances = Instances.from_masks(np.zeros((0, 4, 6), bool), np.zeros(0), np.zeros(0), ("car",))
    assert (len(instances), instances.height, instances.width, instances.boxes.shape) == (0, 4, 6, (0, 4))


@pytest.mark.parametrize("keep", [[2, 0], np.array([True, False, True])])
def test_select_by_index_or_mask_keeps_that_order(keep):
    masks, scores = np.eye(3, dtype=bool).reshape(3, 1, 3), np.array([0.9, 0.8, 0.7])
    instances = Instances.from_masks(masks, scores, np.arange(1, 4), ("a", "b", "c"))
    found = instances.select(np.array(keep))
    labels = [3, 1] if isinstance(keep, list) else [1, 3]
    assert found.labels.tolist() == labels and found.boxes[:, 0].tolist() == [label - 1 for label in labels]
    assert np.array_equal(found.masks, instances.masks[keep]) and np.array_equal(found.scores, instances.scores[keep])


def test_from_masks_empty_mask_is_refused():
    with pytest.raises(ValueError, match="mask is empty"):
        Instances.from_masks(np.array([[[True, False]], [[False, False]]]), np.ones(2), np.ones(2), ("car",))
