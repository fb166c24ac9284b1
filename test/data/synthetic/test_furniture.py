# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from fcis_ros.data.synthetic.furniture import draw_prop, draw_tree, make_prop, make_tree


@pytest.mark.parametrize("seed", range(12))
def test_draw_prop_paints_it_up_to_80_metres_away(canvas, seed):
    """Every kind stands two metres to the right, some with boards that reach beyond the middle."""
    for z, drawn in ((10.0, True), (80.0, False)):
        prop = make_prop(np.random.default_rng(seed), 2.0, z, 1)
        canvas.pixels[:] = 0
        draw_prop(canvas, prop, 1.0)
        columns = np.flatnonzero((canvas.finish()[1] == 7).any(axis=0))
        assert columns.mean() > 260 if drawn else not len(columns)


def test_draw_tree_stands_on_the_ground_and_spreads_upwards(canvas):
    """Twenty metres ahead, its foot on row 170 + 480 * 1.2 / 20 = 199."""
    leafy = 0
    for seed in range(10):
        pixels = []
        tree = make_tree(np.random.default_rng(seed))
        for drawn in (tree, dataclasses.replace(tree, leaves=tree.leaves[:0])):
            canvas.pixels[:] = 0
            draw_tree(canvas, drawn, 0.0, 20.0, 1.0)
            rows, columns = np.nonzero(canvas.finish()[1] == 7)
            assert abs(rows.max() - 200) <= 2 and rows.min() < 150 and abs(np.median(columns) - 240) < 40
            pixels.append(len(rows))
        assert (pixels[0] > 1.5 * pixels[1]) == (len(tree.leaves) > 0)
        leafy += len(tree.leaves) > 0
    assert 1 < leafy < 9
