# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Mask logits by their relation to the whole grid; test_assembly.py compares every kernel with the reference."""

import pytest
import torch

from fcis_ros import ops
from fcis_ros.ops import reference


@pytest.mark.parametrize("module", [reference, ops], ids=["reference", "compiled"])
def test_mask_logits_random_maps_are_slices_of_all_classes(module):
    maps = torch.randn(2, 9 * 4 * 2, 6, 8, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0, 3.0, 2, 90, 70], [1, 40, 40, 120, 90], [0, 0, 0, 15, 15], [1, -20, 8, 60, 200]])
    labels = torch.tensor([2, 0, 1, 2])
    whole = reference.psroi_assemble(maps, rois, 3, 9, 16).reshape(4, 4, 2, 9, 9)
    pairs = module.mask_logits(maps, rois, labels, 3, 9, 16)
    torch.testing.assert_close(pairs, whole[torch.arange(4), labels])
    assert not module.mask_logits(maps, rois, torch.tensor([-1, 4, -(2**40), 2**40]), 3, 9, 16).any()
