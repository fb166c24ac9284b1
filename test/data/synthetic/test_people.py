# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fcis_ros.data.synthetic.people import draw_bicyclist, draw_pedestrian, make_person

SUN = np.array([0.1, 0.3, 0.1])


@pytest.mark.parametrize(
    ("draw", "height", "shortest", "longest"), [(draw_pedestrian, 1.75, 0.3, 1.5), (draw_bicyclist, 1.85, 1.7, 1.9)]
)
def test_draw_person_from_the_side_has_the_size_of_its_scale(canvas, draw, height, shortest, longest):
    """15 m away, feet or wheels on the ground (row 208); a bicycle is 1.73 m long."""
    for seed in range(8):
        person = make_person(np.random.default_rng(seed), draw is draw_bicyclist)
        canvas.pixels[:] = 0
        draw(canvas, person, 0.7 * seed, 0.0, 15.0, np.pi / 2, SUN, 0.6)
        rows, columns = np.nonzero(canvas.finish()[1] == 7)
        pixels_per_metre = 480 / 15 * person.scale
        assert np.ptp(rows) / pixels_per_metre == pytest.approx(height, abs=0.12) and abs(rows.max() - 208) <= 3
        assert shortest < (np.ptp(columns) + 1) / pixels_per_metre < longest
