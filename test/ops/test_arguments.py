# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's own checks of every operator, and arguments that do not fit."""

import pytest
import torch
from operator_inputs import boxes_and_scores, random_maps, random_rois, rpn_outputs

from fcis_ros import ops


def samples() -> dict[str, tuple]:
    """Arguments of every operator, for PyTorch's own checks of schema, fake kernel and gradient."""
    rois = random_rois(6)
    boxes, scores = boxes_and_scores(8)
    voted = torch.tensor([[1, 1, 6, 5], [2, 2, 9, 9]], dtype=torch.int32)
    index = torch.tensor([[0, 1], [-1, 1], [-1, -1]], dtype=torch.int32)
    votes = (voted, torch.ones(2, 3, 3), index, torch.full((3, 2), 0.5), 12, 14)
    placed = ops.vote_masks(*votes, 0.4, True, 0)
    labels = ops.label_map(*placed, 12, 14)
    rpn = (tensor.nan_to_num(0, 0, 0) for tensor in rpn_outputs())  # opcheck finds NaN different from NaN
    score_maps, grad = random_maps("class_logits").requires_grad_(), torch.ones(6, 4)
    return {
        "class_logits": (score_maps, rois, 4, 3, 9, 16),
        "class_logits_backward": (grad, score_maps.detach(), rois, 3, 9, 16),
        "mask_logits": (score_maps, rois, torch.arange(6) % 4, 3, 9, 16),
        "mask_logits_backward": (torch.ones(6, 2, 9, 9), score_maps.detach(), rois, torch.arange(6) % 4, 3, 9, 16),
        "best_class_masks": (score_maps.detach(), rois, torch.eye(4)[torch.arange(6) % 4], 3, 9, 16),
        "box_deltas": (random_maps("box_deltas").to(memory_format=torch.channels_last).requires_grad_(), rois, 3, 9, 16),
        "box_deltas_backward": (grad, random_maps("box_deltas"), rois, 3, 9, 16),
        "decode_anchors": (*rpn, 16, 60, 90, 4.0),
        "decode_rois": (rois.nan_to_num(0, 0, 0), grad, (0.1, 0.1, 0.2, 0.2), 60, 90),
        "rois_to_image": (rois[:, 1:].nan_to_num(0, 0, 0), torch.ones(6, 3), 1.5, -9e9, 60, 90),
        "vote_weights": (boxes, scores, torch.tensor([3, -1]), torch.tensor([2, -1]), 0.5),
        "nms": (boxes, scores[:, 1].contiguous(), 0.5, 10),
        "class_nms": (boxes, scores, 0.5, 0.1, 10),
        "vote_masks": (*votes, 0.4, True, 0),
        "vote_masks with a capacity": (*votes, 0.4, True, 0, 99),
        "label_map": (*placed, 12, 14),
        "paint": (torch.zeros(12, 14, 3, dtype=torch.uint8), labels, torch.ones(3, 3, dtype=torch.uint8), 0.5, 2),
    }


@pytest.mark.parametrize("name", samples())
def test_opcheck(name):
    torch.library.opcheck(getattr(torch.ops.fcis_ros, name.split()[0]).default, samples()[name])


MAPS, ROIS = torch.zeros(1, 9 * 4 * 2, 4, 4), torch.zeros(2, 5)
BAD = {
    "maps: expected float32, float16 or bfloat16": (MAPS.double(), ROIS, 2, 3, 9, 16),
    "maps: expected \\[N, channels, h, w\\]": (MAPS[0], ROIS, 2, 3, 9, 16),
    "maps: 70 channels are no multiple of 72": (MAPS[:, :70].contiguous(), ROIS, 2, 3, 9, 16),
    "classes: 5 classes do not fit the 72 channels of maps with bins = 3": (MAPS, ROIS, 5, 3, 9, 16),
    "classes: 0 classes do not fit": (MAPS, ROIS, 0, 3, 9, 16),
    "classes: 9223372036854775807 classes do not fit": (MAPS, ROIS, 2**63 - 1, 3, 9, 16),
    "maps: neither contiguous nor channels-last": (MAPS.transpose(2, 3).expand(2, -1, -1, -1), ROIS, 2, 3, 9, 16),
    "maps: expected 1..16777215 rows": (MAPS[:, :, :0], ROIS, 2, 3, 9, 16),
    "rois: expected \\[R, 5\\]": (MAPS, ROIS[:, 1:], 2, 3, 9, 16),
    "rois: expected float32": (MAPS, ROIS.double(), 2, 3, 9, 16),
    "rois: not contiguous": (MAPS, torch.zeros(5, 2).T, 2, 3, 9, 16),
    "bins: expected 1..64": (MAPS, ROIS, 2, 0, 9, 16),
    "size: 8 is no multiple": (MAPS, ROIS, 2, 3, 8, 16),
    "stride: expected": (MAPS, ROIS, 2, 3, 9, 0),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_arguments_are_named(message):
    with pytest.raises((ValueError, NotImplementedError, RuntimeError), match=message):
        ops.class_logits(*BAD[message])


def test_bad_labels_and_votes_are_named():
    with pytest.raises(ValueError, match="labels: expected int64"):
        ops.mask_logits(MAPS, ROIS, torch.zeros(2), 3, 9, 16)
    with pytest.raises(ValueError, match="scores: expected \\[2, -1\\]"):
        ops.best_class_masks(MAPS, ROIS, torch.zeros(3, 3), 3, 9, 16)
    with pytest.raises(ValueError, match="scores: 5 classes do not fit the 72 channels of maps with bins = 3"):
        ops.best_class_masks(MAPS, ROIS, torch.zeros(2, 5), 3, 9, 16)
    with pytest.raises(ValueError, match="grad: 5 classes do not fit the 72 channels"):
        torch.ops.fcis_ros.class_logits_backward(torch.zeros(2, 5), MAPS, ROIS, 3, 9, 16)
    with pytest.raises(ValueError, match="labels: expected \\[2\\]"):
        ops.mask_logits(MAPS, ROIS, torch.zeros(3, dtype=torch.long), 3, 9, 16)
    box, index, weight = torch.tensor([[0, 0, 4, 3]], dtype=torch.int32), torch.zeros(1, 1, dtype=torch.int32), torch.ones(1, 1)
    with pytest.raises(ValueError, match="boxes: \\(0, 0, 4, 3\\) is not inside the 4x4 image"):
        ops.vote_masks(box, torch.ones(1, 3, 3), index, weight, 4, 4, 0.4, True, 0)
    with pytest.raises(ValueError, match="index: 0, there are 0 masks"):
        ops.vote_masks(box, torch.ones(0, 3, 3), index, weight, 9, 9, 0.4, True, 0)
    with pytest.raises(ValueError, match="boxes: expected float32"):
        ops.nms(box, torch.ones(1), 0.5, 3)
    with pytest.raises(ValueError, match="runs: 3 pixels of instance 0, its box has 4"):
        ops.label_map(torch.tensor([[0, 0, 2, 2]]).int(), torch.tensor([1, 2]).int(), torch.tensor([2]).int(), 4, 4)
    with pytest.raises(ValueError, match="labels: instance 2, there are 1 colours"):
        ops.paint(torch.zeros(1, 1, 3).byte(), torch.full((1, 1), 2).to(torch.uint16), torch.zeros(1, 3).byte(), 0.5, 1)


LOGITS, DELTAS, ANCHORS, SCORES = torch.zeros(6, 2, 2), torch.zeros(12, 2, 2), torch.zeros(3, 4), torch.zeros(2, 3)
ONE, TWO = torch.tensor([1]), torch.tensor([1, 2])
BAD_BOXES = {
    "logits: expected \\[6, -1, -1\\]": ("decode_anchors", LOGITS[1:], DELTAS, ANCHORS, 16, 9, 9, 1.0),
    "deltas: expected \\[12, 2, 2\\]": ("decode_anchors", LOGITS, DELTAS[:, 1:], ANCHORS, 16, 9, 9, 1.0),
    "anchors: expected float32": ("decode_anchors", LOGITS, DELTAS, ANCHORS.half(), 16, 9, 9, 1.0),
    "stride: expected": ("decode_anchors", LOGITS, DELTAS, ANCHORS, 0, 9, 9, 1.0),
    "height, width: expected": ("decode_rois", ROIS, ROIS[:, 1:], (1.0,) * 4, 0, 9),
    "deltas: expected \\[2, 4\\]": ("decode_rois", ROIS, ANCHORS, (1.0,) * 4, 9, 9),
    "stds: expected 4, got 3": ("decode_rois", ROIS, ROIS[:, 1:], (1.0,) * 3, 9, 9),
    "boxes: expected \\[-1, 4\\]": ("rois_to_image", ROIS, SCORES, 1.0, 1.0, 9, 9),
    "scores: expected \\[3, -1\\]": ("rois_to_image", ANCHORS, SCORES, 1.0, 1.0, 9, 9),
    "winners: expected int64": ("vote_weights", ROIS[:, 1:], SCORES, ONE.int(), ONE, 0.5),
    "labels: expected int64 \\[1\\]": ("vote_weights", ROIS[:, 1:], SCORES, ONE, TWO, 0.5),
    "winners: 2, there are 2 boxes": ("vote_weights", ROIS[:, 1:], SCORES, TWO, TWO, 0.5),
    "labels: 3, there are 3 classes": ("vote_weights", ROIS[:, 1:], SCORES, ONE, ONE + 2, 0.5),
}


@pytest.mark.parametrize("message", BAD_BOXES)
def test_bad_boxes_are_named(message):
    name, *arguments = BAD_BOXES[message]
    with pytest.raises(ValueError, match=message):
        getattr(ops, name)(*arguments)
