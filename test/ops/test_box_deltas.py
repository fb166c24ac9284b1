# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Box deltas by hand; test_assembly.py compares every kernel with the reference."""

import pytest
import torch

from fcis_ros import ops
from fcis_ros.ops import reference


@pytest.mark.parametrize("module", [reference, ops], ids=["reference", "compiled"])
def test_box_deltas_counting_maps_are_mean_over_bins(module):
    maps = torch.arange(4 * 4, dtype=torch.float32).reshape(1, 16, 1, 1).expand(1, 16, 2, 2).contiguous()
    deltas = module.box_deltas(maps, torch.tensor([[0.0, 0, 0, 31, 31]]), 2, 4, 16)
    assert deltas.tolist() == [[6, 7, 8, 9]]  # channels 0, 4, 8 and 12 are the bins of dx
