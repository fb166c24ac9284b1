# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fcis_ros.data.synthetic.vehicles import STYLES, make_vehicle, shadow_below

SUN = np.array([0.0, 0.3, 0.0])


@pytest.mark.parametrize("style", STYLES)
def test_make_vehicle_has_the_size_of_its_style(style):
    form, vehicle = STYLES[style], make_vehicle(np.random.default_rng(0), style)
    low, high = vehicle.vertices.min(axis=0), vehicle.vertices.max(axis=0)
    assert form.length[0] <= vehicle.length <= form.length[1] and high[0] - low[0] == pytest.approx(vehicle.length, abs=0.01)
    assert low[1] == 0 and form.height[0] <= high[1] <= form.height[1]
    assert high[2] == -low[2] == pytest.approx(form.width / 2 + 0.014)  # with the hubs
    assert len(vehicle.normals) == len(vehicle.colours) == len(vehicle.spans) - 1 and vehicle.spans[-1] == len(vehicle.vertices)


def test_vehicle_draw_shows_the_side_that_faces_the_camera(canvas):
    """A blue car's red lamps from behind, none from the front; 1.68 m wide, its rear 13 m away."""
    car = make_vehicle(np.random.default_rng(1), "hatchback")
    red = []
    for yaw in (0.0, np.pi):
        canvas.pixels[:] = 0
        car.draw(canvas, 0.0, 13 + car.length / 2, yaw, SUN, 0.7)
        image, owner = canvas.finish()
        columns = np.flatnonzero((owner == 7).any(axis=0))
        assert np.ptp(columns) == pytest.approx(480 * 1.68 / 13, rel=0.1)
        red.append((image[..., 0] > 2.0 * image[..., 1] + 10).sum())
    assert red[0] > 10 and red[1] == 0


def test_shadow_below_lies_under_the_vehicle_and_away_from_the_sun():
    car = make_vehicle(np.random.default_rng(1), "suv")
    base, *cast = shadow_below(car, 3.0, 20.0, np.pi / 2, np.array([0.5, 0.5, 0.0]))
    np.testing.assert_allclose(np.ptp(base, axis=0), (0.98 * car.length, 0, car.width), atol=1e-9)
    np.testing.assert_allclose(base.mean(axis=0), (3, 0, 20))
    np.testing.assert_allclose([polygon.mean(axis=0) for polygon in cast], [(2.4, 0, 20), (1.8, 0, 20)])
