# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Bins and covered cells of the patent by hand; test_patent.py compares the averages with loops."""

import pytest
import torch

from fcis_ros.ops.reference.patent_averages import bin_edges, covered


@pytest.mark.parametrize(
    ("cells", "bins", "edges"),
    [
        (7, 7, [0, 1, 2, 3, 4, 5, 6, 7]),
        (14, 7, [0, 2, 4, 6, 8, 10, 12, 14]),
        (3, 7, [0, 0, 1, 1, 2, 2, 3, 3]),  # cells 0, 1, 2 belong to bins 1, 3 and 5
        (1, 3, [0, 0, 1, 1]),  # the only cell belongs to the bin in the middle
        (5, 2, [0, 2, 5]),
        (4, 3, [0, 1, 3, 4]),
    ],
)
def test_bin_edges_few_cells_are_even(cells, bins, edges):
    computed = bin_edges(torch.tensor([10]), torch.tensor([10 + cells]), bins)
    assert (computed - 10).tolist() == [edges]


def test_bin_edges_any_size_are_even_and_mirror():
    mirrored = 0
    for bins in (1, 2, 3, 5, 7):
        for cells in range(1, 70):
            edges = bin_edges(torch.tensor([0]), torch.tensor([cells]), bins)[0]
            counts = edges.diff()
            assert edges[0] == 0 and edges[-1] == cells and counts.max() - counts.min() <= 1
            bin_of_cell = [(2 * u + 1) * bins // (2 * cells) for u in range(cells)]
            assert counts.tolist() == [bin_of_cell.count(index) for index in range(bins)]
            if all((2 * u + 1) * bins % (2 * cells) for u in range(cells)):  # else a centre lies on an edge between bins
                assert counts.tolist() == counts.flip(0).tolist()
                mirrored += 1
    assert mirrored > 200


@pytest.mark.parametrize(
    ("low", "high", "begin", "end"),
    [
        (0, 15, 0, 1), (0, 16, 0, 2), (15.4, 15.4, 0, 1), (15.5, 15.5, 1, 2), (-40, 40, 0, 3), (500, 600, 10, 10),
        (20, 10, 1, 1), (30, 20, 1, 1),
    ],
)  # fmt: skip
def test_covered_extent_gives_every_touched_cell(low, high, begin, end):
    cells = covered(torch.tensor([float(low)]), torch.tensor([float(high)]), 10, 16)
    assert [int(edge) for edge in cells] == [begin, end]
