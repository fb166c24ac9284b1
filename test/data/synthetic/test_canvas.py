# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np

from fcis_ros.data.synthetic.canvas import Canvas, PinholeCamera


def test_camera_projection_of_the_ground_equals_its_homography():
    camera = PinholeCamera(0.3, 1.3, 5.0, 0.1, 480.0, 170.0, 360, 480)
    ground = np.array([(1.0, 0.0, 15.0), (-2.0, 0.0, 40.0), (3.0, 0.0, 12.0)])
    relative = np.stack([ground[:, 0] - camera.x, ground[:, 2] - camera.z, np.ones(3)])
    expected = camera.ground_homography() @ relative
    np.testing.assert_allclose(camera.project(camera.view(ground)) / 2, (expected[:2] / expected[2]).T)


def test_camera_point_straight_ahead_projects_to_the_middle(canvas):
    # 10 m ahead on the ground: 480 px * 1.2 m / 10 m = 57.6 px below the horizon.
    pixel = canvas.camera.project(canvas.camera.view(np.array([0.0, 0.0, 10.0]))) / 2
    np.testing.assert_allclose(pixel, (240.0, 227.6))


def test_canvas_polygons_behind_the_camera_are_not_drawn(canvas):
    square = np.array([(-1.0, 0.0, -5.0), (1.0, 0.0, -5.0), (1.0, 2.0, -5.0), (-1.0, 2.0, -5.0)])
    canvas.face(square, (255, 0, 0))
    canvas.faces(square[None], (255, 0, 0))
    canvas.lines(square[None], 0.1, (255, 0, 0))
    canvas.veil(square, (255, 0, 0), 0.5)
    canvas.mesh(square, np.array([0, 4]), np.array([(255.0, 0.0, 0.0)]))
    assert not canvas.pixels.any()


def test_canvas_polygon_paints_image_and_object_number_alike():
    canvas = Canvas(PinholeCamera(0.0, 1.0, 0.0, 0.0, 100.0, 50.0, 100, 200))
    canvas.owner = 9
    # 1 m wide and 1 m tall, 10 m ahead: 10 x 10 pixels around column 100, from the ground (row 60) up to the horizon.
    canvas.face(np.array([(-0.5, 0.0, 10.0), (0.5, 0.0, 10.0), (0.5, 1.0, 10.0), (-0.5, 1.0, 10.0)]), (10, 20, 30))
    image, owner = canvas.finish()
    rows, columns = np.nonzero(owner == 9)
    assert (rows.min(), columns.min()) == (50, 95) or (rows.min(), columns.min()) == (49, 94)
    assert rows.max() in (59, 60) and columns.max() in (104, 105)
    assert (image[51:59, 96:104] == (10, 20, 30)).all()


def test_canvas_polygon_through_the_camera_is_cut_at_the_near_plane(canvas):
    """A road 2 m wide from behind the camera, as one polygon and as a mesh: below the horizon, symmetric, on the last row."""
    road = np.array([(-1.0, 0.0, -5.0), (1.0, 0.0, -5.0), (1.0, 0.0, 50.0), (-1.0, 0.0, 50.0)])
    canvas.face(road, (255, 0, 0))
    seen = canvas.finish()[1] == 7
    canvas.mesh(road, np.array([0, 4]), np.array([(0.0, 255.0, 0.0)]))
    assert (canvas.pixels[canvas.pixels[..., 3] == 7][:, :2] == (0, 255)).all()
    assert (
        not seen[:181].any() and seen[182].any() and seen[359, 100:380].all() and (seen[181:] == seen[181:, ::-1]).mean() > 0.99
    )


def test_canvas_veil_mixes_colours_and_owns_its_pixels(canvas):
    square = np.array([(-1.0, 0.0, 10.0), (1.0, 0.0, 10.0), (1.0, 1.0, 10.0), (-1.0, 1.0, 10.0)])
    canvas.pixels[..., :3] = 100
    canvas.veil(square, (200, 0, 100), 0.25)
    assert canvas.pixels[400, 480].tolist() == [125, 75, 100, 7]
