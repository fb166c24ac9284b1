# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Road users of moving scenes keep clear of each other and of the camera; worked out here from outlines on the ground."""

import itertools

import cv2
import numpy as np
import pytest

from fcis_ros.data.synthetic.traffic import CAR, Actor, make_traffic

SECONDS, SPEED, LENGTH = 12.0, 6.0, 170.0


def made(seed: int, seconds: float = SECONDS) -> list[Actor]:
    return make_traffic(np.random.default_rng(seed), 0, 1, (4.5, 9.0), (2.3, 2.3), 2.5, LENGTH, SPEED, seconds)


@pytest.fixture(scope="module", params=range(6))
def traffic(request) -> list[Actor]:
    return made(request.param)


def outline(actor: Actor) -> tuple:
    """(centre, size, degrees) on the ground, as OpenCV has rotated rectangles; a little smaller than the object."""
    size = (actor.body.width - 0.1, actor.body.length - 0.1) if actor.label == CAR else (0.3, 0.3)
    return (actor.x, actor.z), size, -np.degrees(actor.yaw)


def meet(first: tuple, second: tuple) -> bool:
    return cv2.rotatedRectangleIntersection(first, second)[0] != cv2.INTERSECT_NONE


def test_make_traffic_actors_never_overlap(traffic):
    assert sum(actor.speed > 0 for actor in traffic) >= 3
    for seconds in np.arange(0, SECONDS, 0.5):
        now = [actor.after(seconds) for actor in traffic]
        for first, second in itertools.combinations(now, 2):
            if (first.speed or second.speed) and CAR in (first.label, second.label):
                assert not meet(outline(first), outline(second)), (seconds, first, second)


def test_make_traffic_actors_never_meet_the_camera(traffic):
    for seconds in np.arange(0, SECONDS, 0.25):
        camera = ((0.0, SPEED * seconds), (1.7, 4.0), 0.0)
        assert not any(meet(outline(actor.after(seconds)), camera) for actor in traffic)


def test_make_traffic_moving_scene_keeps_most_actors():
    """Most of those who would meet somebody go straight on instead of staying away."""
    still, moving = (sum(len(made(seed, seconds)) for seed in range(10)) for seconds in (0.0, SECONDS))
    assert moving > 0.85 * still
