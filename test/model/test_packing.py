# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
import torch

from fcis_ros.model import packing
from fcis_ros.model.packing import PaddedInstances, to_host, to_instances

# Masks of 2x2, 1x3 and none, and the row behind the last instance.
PADDED = PaddedInstances(
    scores=torch.tensor([0.9, 0.5, 0.4, 0.3]),
    labels=torch.tensor([2, 1, 1, -1], dtype=torch.int32),
    boxes=torch.tensor([[0, 0, 2, 2], [4, 1, 5, 4], [0, 0, 0, 0], [1, 1, 2, 2]], dtype=torch.int32),
    runs=torch.tensor([0, 4, 0, 1, 1, 1, 7, 7], dtype=torch.int32),
    ends=torch.tensor([2, 6, 6, 6], dtype=torch.int32),
    ignored=torch.tensor([3], dtype=torch.int32),
)


@pytest.mark.parametrize(("packed_runs", "runs"), [(5, 6), (6, 6), (100, 6), (5, 4)])
def test_to_host_keeps_everything_and_the_runs_in_use(packed_runs, runs, monkeypatch):
    """Those beyond the packed ones are fetched; the other image of the batch has room for all, or for four."""
    monkeypatch.setattr(packing, "PACKED_RUNS", packed_runs)
    images = to_host([PADDED, dataclasses.replace(PADDED, runs=PADDED.runs[:runs])])
    for image, used in zip(images, (6, runs), strict=True):
        for name, value in vars(PADDED).items():
            assert torch.equal(getattr(image, name), value[:used] if name == "runs" else value), name
        assert image.truncated == (used < 6)


def test_to_instances_without_mask_or_label_are_left_out():
    found = to_instances(PADDED, 4, 5, ("car", "bus"))
    assert (found.height, found.width, found.class_names) == (4, 5, ("car", "bus"))
    assert found.labels.tolist() == [2, 1] and found.scores.tolist() == pytest.approx([0.9, 0.5])
    assert found.boxes.tolist() == [[0, 0, 2, 2], [4, 1, 5, 4]]
    assert [crop.tolist() for crop in found.crops] == [[[True] * 2] * 2, [[True], [False], [True]]]
