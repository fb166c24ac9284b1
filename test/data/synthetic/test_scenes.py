# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest

from fcis_ros.data.synthetic.canvas import Canvas
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
    return a.name == b.name and all(map(np.array_equal, (a.image, a.masks, a.labels), (b.image, b.masks, b.labels)))


def test_sample_depends_on_seed_and_index_alone(scenes, samples):
    """After other calls, in a new object and in another process, too."""
    assert equal(SyntheticScenes(3).sample(17), samples[17]) and equal(scenes.sample(17), samples[17])
    assert equal(pickle.loads(pickle.dumps(scenes.sample))(2), samples[2])
    assert not np.array_equal(samples[0].image, samples[1].image)
    assert not np.array_equal(SyntheticScenes(4).sample(0).image, samples[0].image)
    assert len({sample.name for sample in samples}) == len(samples)


def test_sample_has_documented_types_and_disjoint_masks(samples):
    for sample in samples:
        assert sample.image.shape == (360, 480, 3) and sample.image.dtype == np.uint8 and sample.image.flags.c_contiguous
        assert sample.masks.dtype == bool and sample.masks.shape[1:] == (360, 480)
        assert sample.labels.dtype == np.int64 and not sample.crowd.any()
        assert np.isin(sample.labels, range(1, len(CLASS_NAMES) + 1)).all()
        assert sample.masks.sum(axis=0).max(initial=0) <= 1 and (sample.masks.sum(axis=(1, 2)) >= MIN_PIXELS).all()


@pytest.mark.parametrize(("height", "width"), [(32, 48), (181, 243), (540, 960)])
def test_sample_of_another_size_has_that_size(height, width):
    sample = SyntheticScenes(0, height, width).sample(0)
    assert sample.image.shape == (height, width, 3) and sample.masks.shape[1:] == (height, width)


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


def test_sample_brightness_varies_and_images_are_not_flat(samples):
    means = [sample.image.mean() for sample in samples]
    assert max(means) > 1.5 * min(means) and min(sample.image.std() for sample in samples) > 10


def test_clip_repeated_is_equal_and_named_by_frame():
    first, second = (list(SyntheticScenes(1).clip(0, 4, rate=10)) for _ in range(2))
    assert len(first) == 4 and all(equal(a, b) for a, b in zip(first, second, strict=True))
    assert len({sample.name for sample in first}) == 4


def test_clip_track_ids_follow_objects_that_move_smoothly():
    """From one frame to the next at 30 Hz every large object has its number and has hardly moved."""
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
    assert followed > 50 and not np.array_equal(frames[0].masks, frames[-1].masks)


def test_clip_has_every_class():
    labels = np.concatenate([sample.labels for sample in SyntheticScenes(0).clip(0, 15, rate=1)])
    assert set(labels) == {1, 2, 3}
