# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Masks of the best class: every kernel, and the reference, against the mask logits of that class."""

import pytest
import torch
from operator_inputs import LAYOUTS, random_maps, random_rois

from fcis_ros.ops import reference


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("classes", "bins", "size"), [(4, 3, 9), (21, 3, 9), (33, 2, 6), (17, 3, 3), (1, 1, 4), (81, 7, 21)])
def test_best_class_masks_ties_and_nan_equal_mask_logits(kernels, classes, bins, size, dtype, layout):
    maps, rois = random_maps("mask_logits", classes=classes, bins=bins).to(dtype).to(memory_format=layout), random_rois(16)
    scores = torch.rand(len(rois), classes, generator=torch.Generator().manual_seed(4)).round(decimals=1)  # ties
    scores[8], scores[9, classes // 2 :], scores[10] = torch.nan, torch.nan, -1.0
    scores[11, 0] = 9.0  # the background is best
    masks = kernels.best_class_masks(maps, rois, scores, bins, size, 16)
    if classes == 1:  # there is only background
        assert (masks == 0.5).all()
        return
    labels = scores.nan_to_num(-torch.inf)[:, 1:].argmax(dim=1) + 1
    expected = torch.softmax(reference.mask_logits(maps.float(), rois, labels, bins, size, 16), dim=1)[:, 1]
    torch.testing.assert_close(masks, expected, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(reference.best_class_masks(maps, rois, scores, bins, size, 16), expected, atol=2e-6, rtol=1e-5)
