# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The padding of score maps: whatever it holds, nothing changes."""

import pytest
import torch
from operator_inputs import LAYOUTS, random_maps, random_rois

from fcis_ros import ops
from fcis_ros.ops.layout import padding_of


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("classes", [1, 3, 5, 18, 81])
def test_padding_any_values_changes_nothing_and_has_no_gradient(classes, dtype, layout):
    rois, results = random_rois(), []
    for garbage in (torch.nan, torch.inf, 0.0):
        maps = random_maps("class_logits", classes=classes)
        maps[maps.isnan()] = garbage
        maps = maps.to(dtype).to(memory_format=layout).requires_grad_()
        logits = ops.class_logits(maps, rois, classes, 3, 9, 16)
        pairs = ops.mask_logits(maps, rois, torch.arange(len(rois)) % classes, 3, 9, 16)
        (grad,) = torch.autograd.grad(logits.square().sum() + pairs.square().sum(), maps)
        results.append((logits, pairs, ops.best_class_masks(maps.detach(), rois, logits.detach(), 3, 9, 16), grad))
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))
    logits, _, _, grad = results[0]
    assert logits.shape == (len(rois), classes) and logits.isfinite().all()
    assert grad.any() and not padding_of(grad.transpose(0, 1), 9, classes).any()
