# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.targets import crowd_cover, mask_target, roi_targets, rpn_targets
from fcis_ros.training.train_config import TrainConfig


def item(boxes, labels=None, size=(64, 64), ignore=None) -> TrainItem:
    """Objects that fill their boxes."""
    masks = torch.zeros(len(boxes), *size, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1 : y2 + 1, x1 : x2 + 1] = 1
    return TrainItem(
        torch.zeros(3, *size),
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(labels or [1] * len(boxes), dtype=torch.int64),
        masks,
        torch.zeros(size, dtype=torch.uint8) if ignore is None else ignore,
    )


def boxes(*rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32)


GENERATOR = torch.Generator().manual_seed(0)


def assign(proposals, truth, grid=4, stds=(1, 1, 1, 1), **changes):
    model = ModelConfig(class_names=("a", "b"), bins=grid, grid=grid, box_stds=stds)
    return roi_targets(proposals, truth, TrainConfig(model, steps=1, **changes), torch.Generator().manual_seed(1))


def test_rpn_targets_equal_hand_computed():
    anchors = boxes((0, 0, 15, 15), (0, 0, 15, 7), (32, 32, 47, 47), (-1, 0, 14, 15), (50, 50, 64, 63))
    labels, deltas = rpn_targets(anchors, item([(0, 0, 15, 15)]), GENERATOR)
    # Equal: positive. Half: between the thresholds. Far: negative. Reaching past the image on either side: ignored.
    assert labels.tolist() == [1, -1, 0, -1, -1]
    assert torch.equal(deltas[0], torch.zeros(4))


def test_rpn_targets_best_anchors_below_threshold_are_positive():
    anchors = boxes((0, 0, 15, 7), (0, 8, 15, 15), (40, 40, 50, 50))
    labels, _ = rpn_targets(anchors, item([(0, 0, 15, 15)]), GENERATOR)
    assert labels.tolist() == [1, 1, 0]


def test_rpn_targets_object_without_overlap_has_no_positive():
    """The released code would make every anchor with IoU 0 positive here."""
    anchors = boxes((0, 0, 15, 15), (16, 16, 31, 31))
    labels, _ = rpn_targets(anchors, item([(50, 50, 60, 60)]), GENERATOR)
    assert labels.tolist() == [0, 0]


def test_rpn_targets_sample_at_most_256_half_positive():
    anchors = boxes(*[(0, 0, 15, 15)] * 200, *[(40, 40, 50, 50)] * 400)
    labels, _ = rpn_targets(anchors, item([(0, 0, 15, 15)]), GENERATOR)
    assert (labels == 1).sum() == 128 and (labels == 0).sum() == 128


def test_rpn_targets_crowds_are_not_background():
    ignore = torch.zeros(64, 64, dtype=torch.uint8)
    ignore[:, 32:] = 1
    assert crowd_cover(boxes((0, 0, 31, 63), (16, 0, 47, 63), (32, 0, 63, 63)), ignore).tolist() == [0, 0.5, 1]
    labels, _ = rpn_targets(boxes((0, 0, 15, 15), (40, 0, 55, 15)), item([], ignore=ignore), GENERATOR)
    assert labels.tolist() == [0, -1]
    assert assign(boxes((0, 0, 15, 15), (40, 0, 55, 15)), item([], ignore=ignore)).labels.tolist() == [0, -1]


def test_roi_targets_equal_hand_computed():
    truth = item([(0, 0, 15, 15), (32, 32, 47, 47)], labels=[2, 1])
    targets = assign(boxes((0, 0, 15, 7), (0, 0, 15, 6), (32, 32, 47, 47)), truth, stds=(0.2, 0.2, 0.5, 0.5))
    # IoU 1/2 is positive, 7/16 is not; the ground truth itself is appended.
    assert targets.labels.tolist() == [2, 0, 1, 2, 1]
    # The 16x8 box must move down by half its height (0.5 / 0.2) and grow by ln 2 / 0.5.
    assert torch.allclose(targets.deltas[0], torch.tensor([0, 2.5, 0, np.log(2) / 0.5], dtype=torch.float32))
    assert targets.masks[0].all() and targets.masks[2].all()


def test_mask_target_is_cropped_to_roi_and_object():
    mask = np.zeros((32, 32), np.uint8)
    mask[:, :16] = 1
    roi = np.array([8.0, 0, 23, 15])
    assert mask_target(mask, np.array([0, 0, 15, 31]), roi, 4).tolist() == [[1, 1, 0, 0]] * 4
    # Pixels of the mask outside the object's box do not count.
    assert mask_target(mask, np.array([0, 0, 11, 31]), roi, 4).tolist() == [[1, 0, 0, 0]] * 4
    # An ROI that lies half outside the image is zero there.
    assert mask_target(mask, np.array([0, 0, 15, 31]), np.array([-8.0, 0, 7, 15]), 4).tolist() == [[0, 0, 1, 1]] * 4


def test_roi_targets_without_objects_are_background():
    targets = assign(boxes((0, 0, 15, 15)), item([]))
    assert targets.labels.tolist() == [0] and len(targets.rois) == 1


def test_roi_targets_background_iou_limits_background():
    """IoU 0.5, 0.25 and 1/16 with the object, and none."""
    proposals = boxes((0, 0, 15, 7), (0, 0, 15, 3), (0, 0, 3, 3), (40, 40, 50, 50))
    truth = item([(0, 0, 15, 15)])
    assert assign(proposals, truth).labels.tolist() == [1, 0, 0, 0, 1]
    assert assign(proposals, truth, background_iou=0.1).labels.tolist() == [1, 0, -1, -1, 1]


def test_roi_targets_samples_at_most_a_quarter_objects():
    """As released for VOC: 128 of them, 32 objects; what is missing of either is not made up from the other kind's rest."""
    proposals = boxes(*[(0, 0, 15, 15)] * 60, *[(0, 0, 15, 3)] * 200)
    truth = item([(0, 0, 15, 15)])
    labels = assign(proposals, truth, roi_samples=128, background_iou=0.1).labels
    assert (labels == 1).sum() == 32 and (labels == 0).sum() == 96 and (labels == -1).sum() == 133
    assert not torch.equal(labels[:32], labels[32:64])  # not simply the first ones
    few = assign(proposals[:70], truth, roi_samples=128, background_iou=0.1)
    assert (few.labels == 1).sum() == 32 and (few.labels == 0).sum() == 10
    assert not few.masks[few.labels < 1].any() and few.masks[few.labels == 1].all()
