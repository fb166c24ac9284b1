# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fcis_ros.data.synthetic.street import draw_building, draw_ground, make_street

SUN = np.array([0.0, 0.3, 0.0])


@pytest.fixture(params=range(4))
def street(request):
    return make_street(np.random.default_rng(request.param), -3.0, 3.5, 95.0)


def test_make_street_keeps_the_road_free(street):
    assert street.buildings and street.props
    for house in street.buildings:
        assert (house.x - (street.right if house.side > 0 else street.left)) * house.side >= street.pavement
    assert all(not street.left < x < street.right for x, _, _ in street.trees)
    for prop in street.props:
        assert not street.left < prop.points[:2, 0].mean() < street.right and prop.points[:, 1].min() >= 0


def test_draw_ground_paints_road_and_pavements_between_the_kerbs(canvas, street):
    draw_ground(canvas, street, 1.0, 254)
    points = [(x, 0, 31) for x in (0.5, street.right + 0.5, street.left - 0.5)]
    pixels = np.rint(canvas.camera.project(canvas.camera.view(np.array(points)))).astype(int)
    for (x, y), name in zip(pixels, ("road", "pavement", "pavement"), strict=True):
        assert np.abs(canvas.pixels[y, x, :3] - street.colours[name]).max() <= 1 and canvas.pixels[y, x, 3] == 0


def test_draw_building_fills_its_front_up_to_the_roof(canvas, street):
    """Of a house along the road, the corners of the front, moved inwards by half a metre."""
    house = next(house for house in street.buildings if house.near > 15)
    draw_building(canvas, house, SUN, 0.7)
    corners = [(house.x, y, z) for y in (0.5, house.height - 0.5) for z in (house.near + 0.5, house.far - 0.5)]
    for x, y in canvas.camera.project(canvas.camera.view(np.array(corners))):
        if 0 <= x < 960 and 0 <= y < 720:
            assert canvas.pixels[int(y), int(x), 3] == 7
    assert (canvas.pixels[..., 3] == 7).any()
