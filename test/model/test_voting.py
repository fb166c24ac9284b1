# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.model.packing import to_instances
from fcis_ros.model.preprocess import Original
from fcis_ros.model.score_maps import FusedRois
from fcis_ros.model.voting import assign_votes, category_masks, vote

CONFIG = ModelConfig(class_names=("car", "pedestrian"), bins=1, grid=4, rpn_min_size=1)
ORIGINAL = Original(20, 20, 1.0)
BOXES = torch.tensor([[0.0, 0, 3, 3], [0, 0, 3, 2], [10, 10, 13, 13]])
# Background, car, pedestrian. The second ROI's best class is pedestrian although it overlaps the car.
SCORES = torch.tensor([[0.1, 0.6, 0.3], [0.2, 0.2, 0.6], [0.05, 0.9, 0.05]])
LEFT_HALF = torch.tensor([[1.0, 1, 0, 0]] * 4)


def run(config=CONFIG, masks=None, scale=1.0, floor=0.5, size=(20, 20), boxes=BOXES, scores=SCORES):
    masks = torch.stack([LEFT_HALF, torch.ones(4, 4), torch.ones(4, 4)]) if masks is None else masks
    original = Original(*size, scale)
    return counted(assign_votes(FusedRois(boxes, scores, masks), original, config, floor), masks, original, config)


def counted(votes, masks, original, config):
    padded = vote(votes, masks, original, config, None)
    return to_instances(padded, original.height, original.width, config.class_names)


def test_vote_released_by_hand():
    found = run()
    assert found.labels.tolist() == [1, 1, 2] and np.allclose(found.scores, [0.9, 0.6, 0.6])
    assert found.boxes[0].tolist() == [10, 10, 14, 14] and found.crops[0].all()
    # Car: IoU of the first two boxes is 12/16. Weights 0.6 and 0.2 become 0.75 and 0.25: the full mask of the second ROI
    # adds only 0.25 in the right half, below 0.4, so the left half stays.
    assert found.boxes[1].tolist() == [0, 0, 2, 4] and found.crops[1].all()
    # Pedestrian: weights 0.3 and 0.6 become 1/3 and 2/3: the three rows of the second ROI win, its fourth row gets 1/3.
    assert found.boxes[2].tolist() == [0, 0, 4, 3] and found.crops[2].all()


def test_category_masks_average_probabilities_of_the_voted_class():
    config = dataclasses.replace(CONFIG, voting="category", mask_threshold=0.7)
    votes = assign_votes(FusedRois(BOXES, SCORES, torch.ones(3, 4, 4)), ORIGINAL, config, 0.5)
    # One cell, outside and inside of background, car, pedestrian and the padding; sigmoid(inside - outside): 0.9 of cars,
    # 0.1 of pedestrians.
    nine, nan = float(np.log(9)), torch.nan
    score_maps = torch.tensor([0, 0, 0, nine, 0, -nine, nan, nan]).reshape(1, 8, 1, 1)
    votes, masks = category_masks(votes, torch.nn.functional.pad(BOXES, (1, 0)), score_maps, config)
    # The voters of the lone car, of the car and of the pedestrian, and which mask each casts.
    assert votes.index[:3].tolist() == [[-1, -1, 0], [1, 2, -1], [3, 4, -1]] and (votes.index[3:] == -1).all()
    assert torch.allclose(masks, torch.tensor([0.9, 0.9, 0.9, 0.1, 0.1])[:, None, None].expand(-1, 4, 4))
    found = counted(votes, masks, ORIGINAL, config)
    # Cars are foreground but for the fourth row (0.75 * 0.9), pedestrians nowhere: they yield no instance.
    assert found.labels.tolist() == [1, 1] and found.boxes.tolist() == [[10, 10, 14, 14], [0, 0, 4, 3]]


def test_category_masks_at_stride_8_equal_those_at_stride_16_at_twice_the_size():
    """Pixels 2a to 2c + 1 at stride 16 are the same part of the maps as pixels a to c at stride 8."""
    rois = torch.tensor([[0.0, 0, 0, 13, 13], [0, 3, 0, 17, 9], [0, 10, 10, 13, 13]])
    twice = rois * 2 + torch.tensor([0, 0, 0, 1, 1])
    score_maps = torch.randn(1, 8, 2, 3, generator=torch.Generator().manual_seed(0))
    masks = []
    for stride, boxes in ((8, rois), (16, twice)):
        config = dataclasses.replace(CONFIG, voting="category", stride=stride)
        votes = assign_votes(FusedRois(BOXES, SCORES, torch.ones(3, 4, 4)), ORIGINAL, config, 0.5)
        masks.append(category_masks(votes, boxes, score_maps, config)[1])
    assert torch.equal(*masks) and masks[0].unique().numel() > 5


def test_vote_boxes_are_in_the_original_image():
    found = run(scale=2.0, size=(10, 10))
    assert found.boxes[0].tolist() == [5, 5, 7, 7]  # last pixel 13/2 = 6.5, rounded half to even


def test_assign_votes_score_floor_changes_nothing_above_it():
    everything = run(floor=0.0)
    kept = everything.select(everything.scores >= 0.5)
    some = run(floor=0.5)
    assert len(everything) > len(some) > 0
    assert np.array_equal(kept.masks, some.masks) and np.array_equal(kept.scores, some.scores)
    assert len(run(dataclasses.replace(CONFIG, score_floor=0.7), floor=0.0)) == 1


def test_assign_votes_max_instances_and_ties_are_ordered():
    assert len(run(dataclasses.replace(CONFIG, max_instances=1))) == 1
    assert run(dataclasses.replace(CONFIG, max_instances=2)).labels.tolist() == [1, 1]  # of two 0.6 the lower label


def test_vote_mask_output_released_drops_one_pixel_wide_masks_only():
    thin = torch.zeros(3, 4, 4)
    thin[:, :, 1] = 1
    assert len(run(masks=thin)) == 3
    released = dataclasses.replace(CONFIG, mask_output="released")
    assert len(run(released, masks=thin)) == 0
    wide = run(released)
    assert wide.boxes[0].tolist() == [10, 10, 14, 14] and wide.crops[0].all()


@pytest.mark.parametrize(("tensor", "value"), [(SCORES, torch.nan), (SCORES, torch.inf), (BOXES, torch.nan)])
def test_assign_votes_non_finite_roi_is_left_out(tensor, value):
    boxes, scores = BOXES.clone(), SCORES.clone()
    (scores if tensor is SCORES else boxes)[2] = value
    found = run(masks=torch.ones(3, 4, 4), boxes=boxes, scores=scores)
    assert len(found) == 2 and found.boxes[:, 0].max() == 0


def test_vote_no_winner_is_empty():
    found = run(floor=1.0)
    assert len(found) == 0 and found.masks.shape == (0, 20, 20) and found.boxes.shape == (0, 4)
