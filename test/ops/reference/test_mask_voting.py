# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Samples of a vote map by hand; test_vote_masks.py and test_painting.py have the rest of this definition."""

import numpy as np

from fcis_ros.ops.reference.mask_voting import sample


def test_sample_past_image_edge_repeats_edge():
    votes = np.array([[1, 0], [1, 0]], np.float32)
    at_edge = sample(votes, (0, 0), np.array([0, 0, 1, 1]), 4, 2, 9)  # middles at -0.25, 0.25, 0.75, 1.25
    assert at_edge[0].tolist() == [1, 0.75, 0.25, 0]
    inside = sample(votes, (3, 3), np.array([3, 3, 4, 4]), 4, 9, 9)  # there are no votes left of the map
    assert inside[1].tolist() == [0.75, 0.75, 0.25, 0]
