# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of instances by hand, and every kernel against the reference."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_inputs import VOTES

from fcis_ros import ops
from fcis_ros.ops import reference


@given(VOTES, st.floats(0, 1, width=32), st.sampled_from([0, 1, 2, 5, 255]), st.integers(0, 99))
def test_label_map_and_paint_any_instances_equal_reference(kernels, votes, alpha, thickness, seed):
    size = votes[-2:]
    masks = ops.vote_masks(*votes, 0.4, True, 0)
    labels = kernels.label_map(*masks, *size)
    assert torch.equal(labels, reference.label_map(*masks, *size))
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (*size, 3), dtype=torch.uint8, generator=generator)
    colours = torch.randint(0, 256, (len(votes[2]), 3), dtype=torch.uint8, generator=generator)
    given = (image, labels, colours, alpha, thickness)
    assert torch.equal(kernels.paint(*given), reference.paint(*given))


@pytest.mark.parametrize("module", [reference, ops], ids=["reference", "compiled"])
def test_paint_two_pixel_outline_matches_drawing(module):
    """Instance 1 left of 2, both cut by the image's border, which is no edge; what lies behind a corner counts."""
    rows = ["1111122222"] * 3 + ["1111100000"] * 3
    labels = torch.tensor([[int(label) for label in row] for row in rows], dtype=torch.uint16)
    tints = torch.tensor([[100, 0, 0], [0, 200, 0]], dtype=torch.uint8)
    drawn = module.paint(torch.zeros(6, 10, 3, dtype=torch.uint8), labels, tints, 0.5, 2)
    names = {(0, 0, 0): ".", (100, 0, 0): "A", (50, 0, 0): "a", (0, 200, 0): "B", (0, 100, 0): "b"}
    shown = ["".join(names[tuple(pixel)] for pixel in row) for row in drawn.tolist()]
    assert shown == ["aaaAABBbbb"] + ["aaaAABBBBB"] * 2 + ["aaaAA....."] * 3


def test_label_map_many_instances_equal_reference(kernels):
    """Overlapping instances in more than one round of 256, runs in more than one round too, runs of no length."""
    random = np.random.default_rng(2)
    boxes, runs, ends = [], [], []
    for _ in range(300):
        x, y = np.sort(random.integers(0, 61, 2)), np.sort(random.integers(0, 41, 2))
        pixels = (x[1] - x[0]) * (y[1] - y[0])
        cuts = np.sort(random.integers(0, pixels + 1, 700 if len(boxes) == 299 else 6))
        boxes.append([x[0], y[0], x[1], y[1]])
        runs.append(np.diff(cuts, prepend=0, append=pixels))
        ends.append(sum(map(len, runs)))
    instances = [torch.from_numpy(np.array(part).astype(np.int32)) for part in (boxes, np.concatenate(runs), ends)]
    assert torch.equal(kernels.label_map(*instances, 40, 60), reference.label_map(*instances, 40, 60))


@pytest.mark.parametrize(
    ("box", "runs", "end"),
    [([0, 0, 2, 3], [1, 4], 2), ([0, 0, 2, 3], [7, -1], 2), ([0, 0, 9, 3], [0, 27], 2), ([-1, 0, 1, 3], [0, 6], 2),
     ([2, 0, 0, 3], [0, 6], 2), ([0, 0, 2, 3], [0, 6], 3), ([0, 0, 2, 3], [0, 6], -1), ([0, 0, 8, 8], [2**31 - 1] * 2, 2)],
)  # fmt: skip
def test_label_map_wrong_instances_are_refused(kernels, box, runs, end):
    instances = [torch.tensor(part, dtype=torch.int32) for part in ([[0, 0, 1, 1], box], [0, 1, *runs], [2, end + 2])]
    with pytest.raises(ValueError) as error:
        kernels.label_map(*instances, 8, 8)
    if len(error.value.args) == 2:  # the CUDA kernel draws the others and tells which one was wrong
        assert error.value.args[0] == 2
        assert error.value.args[1][0, 0] == 1


@pytest.mark.compiler
def test_paint_wrong_labels_are_left_out_and_reported(emulated):
    labels = torch.tensor([[0, 1, 3, 2]], dtype=torch.int32).to(torch.uint16)
    image, colours = torch.arange(12, dtype=torch.uint8).reshape(1, 4, 3), torch.full((2, 3), 200, dtype=torch.uint8)
    with pytest.raises(ValueError) as error:
        emulated.paint(image, labels, colours, 1.0, 1)
    assert error.value.args[0] == 3
    assert error.value.args[1][0, :, 0].tolist() == [0, 200, 6, 200]
