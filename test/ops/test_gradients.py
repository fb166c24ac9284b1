# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Gradients as PyTorch calls them, against finite differences."""

import pytest
import torch
from operator_inputs import NAMES, arguments_of, random_maps

from fcis_ros import ops
from fcis_ros.ops import patent


@pytest.mark.filterwarnings("ignore:Input #0 requires gradient")
@pytest.mark.parametrize("compiled", [ops, patent], ids=["grid", "patent"])
@pytest.mark.parametrize("name", NAMES)
def test_gradient_finite_differences_agree(compiled, name):
    maps = random_maps(name, images=1, classes=2, bins=2, height=4, width=5, seed=1).nan_to_num().requires_grad_()
    rois = torch.tensor([[0, 2.0, 3, 50, 60], [0, -9, 20, 200, 61]])

    def run(values):
        return getattr(compiled, name)(values, rois, *arguments_of(name, 2, 2), 2, 4, 16)

    # The maps are float32, so the finite differences are coarse.
    assert torch.autograd.gradcheck(run, maps, eps=1e-2, atol=1e-2, rtol=1e-2)
