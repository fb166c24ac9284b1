# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest

from fcis_ros.data.synthetic.canvas import Canvas, PinholeCamera
from fcis_ros.data.synthetic.scenes import CLASS_NAMES, MIN_PIXELS, SyntheticScenes, _draw_actor
from fcis_ros.data.synthetic.traffic import CAR, Actor
from fcis_ros.data.synthetic.vehicles import make_vehicle


@pytest.fixture(scope="module")
def scenes():
    return SyntheticScenes(3)


@pytest.fixture(scope="module")
def samples(scenes):
    return [scenes.sample(index) for index in range(24)]


def equal(a, b) -> bool:
    same_objects = np.array_equal(a.masks, b.masks) and np.array_equal(a.labels, b.labels)
    return a.name == b.name and np.array_equal(a.image, b.image) and same_objects


def test_sample_same_seed_and_index_is_equal_after_other_calls(scenes, samples):
    assert equal(SyntheticScenes(3).sample(17), samples[17])
    assert equal(scenes.sample(17), samples[17])


def test_sample_other_index_or_seed_differs(samples):
    assert not np.array_equal(samples[0].image, samples[1].image)
    assert not np.array_equal(SyntheticScenes(4).sample(0).image, samples[0].image)
    assert len({sample.name for sample in samples}) == len(samples)


def test_scenes_pickled_give_equal_samples(scenes, samples):
    assert equal(pickle.loads(pickle.dumps(scenes.sample))(2), samples[2])


def test_sample_has_documented_types_and_shapes(samples):
    for sample in samples:
        assert sample.image.shape == (360, 480, 3) and sample.image.dtype == np.uint8 and sample.image.flags.c_contiguous
        assert sample.masks.dtype == bool and sample.masks.shape[1:] == (360, 480)
        assert sample.labels.dtype == np.int64 and not sample.crowd.any()
        assert np.isin(sample.labels, range(1, len(CLASS_NAMES) + 1)).all()


@pytest.mark.parametrize(("height", "width"), [(32, 48), (181, 243), (540, 960)])
def test_sample_of_another_size_has_that_size(height, width):
    sample = SyntheticScenes(0, height, width).sample(0)
    assert sample.image.shape == (height, width, 3) and sample.masks.shape[1:] == (height, width)


def test_sample_masks_are_disjoint_and_large_enough(samples):
    for sample in samples:
        assert sample.masks.sum(axis=0).max(initial=0) <= 1
        assert (sample.masks.sum(axis=(1, 2)) >= MIN_PIXELS).all()


def test_sample_may_have_no_objects(scenes, monkeypatch):
    monkeypatch.setattr("fcis_ros.data.synthetic.scenes.make_traffic", lambda *arguments: [])
    assert scenes.sample(0).masks.shape == (0, 360, 480)


def test_render_masks_are_exactly_the_painted_pixels(scenes):
    """On the surface that is reduced to the image, whatever differs from one of two backdrops belongs to the object."""
    for label in (1, 2, 3):
        compared = 0
        for index in range(6):
            scene = scenes._scene(np.random.default_rng([3, index, 0]), 0.0)
            actor = next((actor for actor in scene.actors if actor.label == label and 6 < actor.z < 40), None)
            if actor is None:
                continue
            painted = np.zeros((720, 960), bool)
            for backdrop in ((255, 0, 255), (0, 255, 0)):
                canvas = Canvas(replace(scene.camera, yaw=np.arctan2(actor.x, actor.z)))
                canvas.pixels[..., :3] = backdrop
                canvas.owner = 1
                _draw_actor(canvas, actor, actor.z, scene.weather)
                painted |= (canvas.pixels[..., :3] != backdrop).any(axis=2)
            assert painted.sum() > 100
            np.testing.assert_array_equal(painted, canvas.pixels[..., 3] == 1)
            compared += 1
        assert compared >= 2


def test_render_nearer_object_occludes_the_mask(scenes):
    scene = scenes._scene(np.random.default_rng([3, 0, 0]), 0.0)
    car = Actor(CAR, make_vehicle(np.random.default_rng(0), "hatchback"), 0.0, 15.0, 0.0)
    van = Actor(CAR, make_vehicle(np.random.default_rng(0), "van"), 0.8, 9.0, 0.0)
    scene = replace(scene, actors=(car, van), street=replace(scene.street, buildings=(), trees=(), props=()))
    both = scenes._draw(scene, scene.camera, [car, van]).pixels[..., 3]
    alone = scenes._draw(scene, scene.camera, [car]).pixels[..., 3]
    np.testing.assert_array_equal(both == 1, (alone == 1) & (both != 2))
    assert 0 < (both == 1).sum() < (alone == 1).sum()


def test_sample_every_class_appears_in_plausible_sizes(samples):
    labels = np.concatenate([sample.labels for sample in samples])
    sides = np.sqrt(np.concatenate([sample.masks.sum(axis=(1, 2)) for sample in samples]))
    assert all((labels == label).sum() >= 8 for label in (1, 2, 3))
    assert 15 < np.median(sides[labels == CAR]) < 45 and sides[labels == CAR].max() > 90
    assert 10 < np.median(sides[labels == 2]) < 30
    assert 15 < np.median(sides[labels == 3]) < 50


def test_sample_people_are_tall_and_stand_on_the_ground(samples):
    whole = 0
    for sample in samples:
        for mask in sample.masks[sample.labels == 2]:
            rows, columns = np.nonzero(mask)
            # Whoever is not cut off or hidden is taller than wide and reaches below the horizon, which lies above row 202.
            if mask.sum() > 400 and columns.min() > 0 and columns.max() < 479 and rows.max() < 359:
                assert np.ptp(rows) > 0.9 * np.ptp(columns) and rows.max() > 150
                whole += 1
    assert whole >= 5


def test_sample_brightness_varies_and_images_are_not_flat(samples):
    means = [sample.image.mean() for sample in samples]
    assert max(means) > 1.5 * min(means)
    assert min(sample.image.std() for sample in samples) > 10


def test_clip_repeated_is_equal_and_named_by_frame():
    first, second = (list(SyntheticScenes(1).clip(0, 4, rate=10)) for _ in range(2))
    assert len(first) == 4 and all(equal(a, b) for a, b in zip(first, second, strict=True))
    assert len({sample.name for sample in first}) == 4


def test_clip_consecutive_frames_move_smoothly():
    """From one frame to the next at 30 Hz every large object is still visible, slightly moved."""
    frames, compared = list(SyntheticScenes(0).clip(0, 30, rate=30)), 0
    for before, after in itertools.pairwise(frames):
        for mask, label in zip(before.masks, before.labels, strict=True):
            rows, columns = np.nonzero(mask)
            if mask.sum() < 400 or columns.min() < 5 or columns.max() > 474 or rows.max() > 354:
                continue
            rivals = after.masks[after.labels == label]
            overlap = (rivals & mask).sum(axis=(1, 2)) / (rivals | mask).sum(axis=(1, 2))
            assert overlap.max(initial=0) > 0.4
            compared += 1
    assert compared > 50
    assert not np.array_equal(frames[0].masks, frames[-1].masks)


def test_clip_track_ids_follow_objects():
    frames = list(SyntheticScenes(0).clip(0, 30, rate=30))
    labels, followed = {}, 0
    for before, after in itertools.pairwise(frames):
        assert len(set(after.ids)) == len(after.ids) == len(after.labels)
        assert all(labels.setdefault(number, label) == label for number, label in zip(after.ids, after.labels, strict=True))
        whole = [mask.sum() > 500 and not mask[:, :5].any() and not mask[:, -5:].any() for mask in before.masks]
        old = dict(itertools.compress(zip(before.ids, before.masks, strict=True), whole))
        for number, mask in zip(after.ids, after.masks, strict=True):
            if number in old:
                assert (mask & old[number]).sum() > 0.4 * (mask | old[number]).sum()
                followed += 1
    assert followed > 50


def test_clip_has_every_class():
    labels = np.concatenate([sample.labels for sample in SyntheticScenes(0).clip(0, 15, rate=1)])
    assert set(labels) == {1, 2, 3}


def test_camera_projection_of_the_ground_equals_its_homography():
    camera = PinholeCamera(0.3, 1.3, 5.0, 0.1, 480.0, 170.0, 360, 480)
    ground = np.array([(1.0, 0.0, 15.0), (-2.0, 0.0, 40.0), (3.0, 0.0, 12.0)])
    relative = np.stack([ground[:, 0] - camera.x, ground[:, 2] - camera.z, np.ones(3)])
    expected = camera.ground_homography() @ relative
    np.testing.assert_allclose(camera.project(camera.view(ground)) / 2, (expected[:2] / expected[2]).T)


def test_camera_point_straight_ahead_projects_to_the_middle():
    # 10 m ahead on the ground: 480 px * 1.2 m / 10 m = 57.6 px below the horizon.
    camera = PinholeCamera(0.0, 1.2, 0.0, 0.0, 480.0, 170.0, 360, 480)
    np.testing.assert_allclose(camera.project(camera.view(np.array([0.0, 0.0, 10.0]))) / 2, (240.0, 227.6))


def test_canvas_polygons_behind_the_camera_are_not_drawn():
    canvas = Canvas(PinholeCamera(0.0, 1.2, 0.0, 0.0, 480.0, 170.0, 360, 480))
    canvas.owner = 7
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
