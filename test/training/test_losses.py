# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Values by hand; the gradients are those of the derivation in test_parity.py."""

import math

import pytest
import torch

from fcis_ros.training.losses import roi_losses, rpn_losses, smooth_l1


def test_smooth_l1_equals_hand_computed():
    values = torch.tensor([0.0, 0.05, 1.0, -2.0])
    assert torch.allclose(smooth_l1(values, torch.zeros(4), sigma=3), torch.tensor([0, 4.5 * 0.0025, 1 - 1 / 18, 2 - 1 / 18]))
    assert torch.allclose(smooth_l1(values, torch.zeros(4), sigma=1), torch.tensor([0, 0.00125, 0.5, 1.5]))


def test_rpn_losses_equal_hand_computed():
    """Two cells, one anchor: channels are background then foreground."""
    logits = torch.tensor([[0.0, 0.0], [0.0, 2.0]]).reshape(2, 1, 2)
    deltas = torch.zeros(4, 1, 2)
    deltas[0, 0, 1] = 1.0
    labels = torch.tensor([-1, 1])
    score, box = rpn_losses(logits, deltas, labels, torch.zeros(2, 4))
    assert math.isclose(score, math.log(1 + math.exp(-2)), rel_tol=1e-6)
    assert math.isclose(box, (1 - 1 / 18) / 256, rel_tol=1e-6)


def test_rpn_losses_anchor_order_matches_the_channels():
    """Label i belongs to anchor i % A of cell i // A, cells row by row."""
    logits, deltas = torch.zeros(4, 2, 2), torch.zeros(8, 2, 2)
    logits[3, 0, 1] = 50.0  # foreground of anchor 1 in the cell of row 0, column 1: label 3
    deltas[4:, 0, 1] = torch.arange(4.0)
    labels = torch.tensor([-1, -1, -1, 1, -1, -1, -1, -1])
    score, box = rpn_losses(logits, deltas, labels, torch.arange(4.0).expand(8, 4))
    assert score < 1e-6 and box == 0


def inputs():
    """Six ROIs, two foreground classes, masks of 2 x 2."""
    generator = torch.Generator().manual_seed(0)
    shapes = (6, 3), (6, 2, 2, 2), (6, 4), (6, 4)
    logits, pairs, deltas, wanted = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    masks = torch.randint(0, 2, (6, 2, 2), generator=generator)
    return logits.requires_grad_(), pairs, deltas, torch.tensor([0, 1, 2, -1, 0, 1]), masks, wanted


@pytest.mark.parametrize("ohem", [3, 100])
def test_roi_losses_equal_a_loop(ohem):
    logits, pairs, deltas, labels, masks, boxes = inputs()
    rows = []
    for r in (0, 1, 2, 4, 5):  # the fourth is ignored
        row = [-torch.log_softmax(logits[r], 0)[labels[r]].item(), 0.0, 0.0]
        if labels[r] > 0:
            row[1] = -10 * torch.log_softmax(pairs[r], 0).gather(0, masks[r][None])[0].mean().item()
            row[2] = sum(0.5 * d * d if abs(d) < 1 else abs(d) - 0.5 for d in (deltas[r] - boxes[r]).tolist())
        rows.append(row)
    rows = sorted(rows, key=sum, reverse=True)[:ohem]
    expected = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    losses = roi_losses(logits, pairs, deltas, labels, masks, boxes, ohem, 10.0)
    assert torch.allclose(torch.stack(losses), torch.tensor(expected, dtype=torch.float64))


def test_roi_losses_ignored_and_easy_rois_get_no_gradient():
    logits, pairs, deltas, *targets = inputs()
    sum(roi_losses(logits, pairs, deltas, *targets, 2, 10.0)).backward()
    assert (logits.grad.abs().sum(1) > 0).sum() == 2 and logits.grad[3].abs().sum() == 0


def test_roi_losses_all_ignored_are_zero():
    logits, pairs, deltas, _, masks, boxes = inputs()
    losses = roi_losses(logits, pairs, deltas, torch.full((6,), -1), masks, boxes, 3, 10.0)
    assert sum(losses) == 0
