# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Class logits by hand; test_assembly.py compares every kernel with the reference."""

import pytest
import torch
from operator_inputs import LAYOUTS, random_maps, random_rois

from fcis_ros import ops
from fcis_ros.ops import reference

BOTH = pytest.mark.parametrize("module", [reference, ops], ids=["reference", "compiled"])
CELL = torch.tensor([[0.0, 0, 0, 15, 15]])


@BOTH
def test_class_logits_one_cell_is_larger_side(module):
    """k = 1, one feature cell: the logit is max(outside, inside) of each class."""
    maps = torch.tensor([1.0, 2.0, 5.0, -1.0, *[torch.nan] * 4]).reshape(1, 8, 1, 1)  # outside, inside of both classes, padding
    assert module.class_logits(maps, CELL, 2, 1, 1, 16).tolist() == [[2, 5]]
    assert module.class_logits(maps, CELL[:0], 3, 1, 1, 16).shape == (0, 3)


@BOTH
def test_class_logits_two_cells_average_before_maximum(module):
    """The max of means, not the mean of maxima: two cells in one square cancel."""
    maps = torch.zeros(1, 8, 1, 2)
    maps[0, 1, 0] = torch.tensor([4.0, -4.0])  # inside of class 0
    assert module.class_logits(maps, torch.tensor([[0.0, 0, 0, 31, 15]]), 2, 1, 1, 16)[0, 0] == 0


@BOTH
def test_class_logits_tie_gives_gradient_to_outside(module):
    maps = torch.ones(1, 8, 1, 1, requires_grad=True)
    module.class_logits(maps, CELL, 1, 1, 1, 16).sum().backward()
    assert maps.grad.flatten().tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


@LAYOUTS
@pytest.mark.parametrize("classes", [4, 20])
def test_class_logits_equal_sides_give_the_gradient_of_the_cpu(kernels, classes, layout):
    maps = random_maps("class_logits", classes=classes).mul(2).round().to(memory_format=layout)
    grad = torch.randn(40, classes, generator=torch.Generator().manual_seed(1))
    arguments = (grad, maps, random_rois(), 3, 9, 16)
    expected = torch.ops.fcis_ros.class_logits_backward(*arguments)
    torch.testing.assert_close(kernels.class_logits_backward(*arguments), expected, atol=1e-6, rtol=1e-5)
