# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Road users of a synthetic scene: parked and moving vehicles, bicyclists and pedestrians."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from fcis_ros.data.synthetic.people import Person, make_person
from fcis_ros.data.synthetic.vehicles import Vehicle, make_vehicle

CAR, PEDESTRIAN, BICYCLIST = 1, 2, 3
FAR = 95.0  # metres: nothing farther away is drawn
_VEHICLES = 400
_TIME_STEP = 0.2  # seconds between the times at which road users must not overlap
_MAX_ACTORS = 250  # object numbers must fit a byte together with those of the scenery


# Built on first use; the vehicle of a number depends on the seed alone.
@lru_cache(2 * _VEHICLES)
def _vehicle(seed: int, number: int) -> Vehicle:
    return make_vehicle(np.random.default_rng([seed, 1 << 21, number]))


@dataclass(frozen=True, eq=False)
class Actor:
    """A road user that moves straight along its heading.

    Attributes:
        label: 1 car, 2 pedestrian, 3 bicyclist.
        body: vehicle or person to draw.
        x, z: position on the ground at the start, metres.
        yaw: heading in radians, 0 away from the camera.
        speed: speed in metres per second.
        phase: start of the walking or pedalling cycle, radians.
    """

    label: int
    body: Vehicle | Person
    x: float
    z: float
    yaw: float
    speed: float = 0.0
    phase: float = 0.0

    def after(self, seconds: float) -> "Actor":
        """Returns the actor a number of seconds later."""
        way = self.speed * seconds
        return replace(self, x=self.x + way * np.sin(self.yaw), z=self.z + way * np.cos(self.yaw), phase=self.phase + way * 4.4)


def make_traffic(
    rng: np.random.Generator,
    seed: int,
    side: int,
    kerbs: tuple[float, float],
    parking: tuple[float, float],
    pavement: float,
    length: float,
    speed: float,
    seconds: float,
) -> list[Actor]:
    """Makes random road users that collide neither with each other nor with the camera in ``seconds``.

    Args:
        rng: random generator of the scene.
        seed: seed of the stock of vehicles.
        side: 1 for traffic on the left, -1 for traffic on the right.
        kerbs: distances of the near kerb and of the far one, beyond oncoming traffic, from the camera's path, metres.
        parking: widths of the parking lanes along the kerbs, metres; 0: none, above 4: cars are parked across.
        pavement: width of the pavement, metres.
        length: length of the street, metres.
        speed: speed of the camera, metres per second.
        seconds: duration of the movement.
    """
    times = np.arange(0, seconds + _TIME_STEP, _TIME_STEP)
    (near, far), (near_parking, far_parking) = kerbs, parking
    actors: list[Actor] = []
    paths: list[tuple[np.ndarray, np.ndarray]] = []  # x and z of the actors at the times

    def add(label: int, x: float, z: float, yaw: float, pace: float = 0.0) -> None:
        body = _vehicle(seed, int(rng.integers(_VEHICLES))) if label == CAR else make_person(rng, label == BICYCLIST)
        # After a collision the actor gets another try: straight along the street or across it (a bicyclist no slower than the
        # camera), starting farther away. If all tries collide it is left out.
        ways = [(yaw, pace, z)]
        if pace and seconds:
            straight, least = round(yaw / (np.pi / 2)) * np.pi / 2, speed if label == BICYCLIST else 0.0
            ways += [(straight, v, z + ahead) for ahead in (0, 10, 20, 30) for v in sorted({pace, max(pace, least)})]
        for heading, v, start in ways:
            xs, zs = x + v * np.sin(heading) * times, start + v * np.cos(heading) * times
            if len(actors) < _MAX_ACTORS and clear(label, body, xs, zs, heading):
                actors.append(Actor(label, body, x, start, heading, v, rng.uniform(0, 6.28)))
                paths.append((xs, zs))
                return

    def clear(label: int, body: Vehicle | Person, xs: np.ndarray, zs: np.ndarray, yaw: float) -> bool:
        if isinstance(body, Vehicle):
            cos, sin = abs(np.cos(yaw)), abs(np.sin(yaw))
            along, across = cos * body.length + sin * body.width, sin * body.length + cos * body.width
        else:
            along = across = 0.6 if label == PEDESTRIAN else 1.2
        for other, (other_xs, other_zs) in zip(actors, paths, strict=True):
            size = other.body.length * 0.5 if isinstance(other.body, Vehicle) else 0.3
            room = across / 2 + (0.9 if other.label == CAR else 0.3)
            if ((abs(other_zs - zs) < along / 2 + size) & (abs(other_xs - xs) < room)).any():
                return False
        return not ((abs(xs) <= max(across / 2 + 0.9, 1.6)) & (abs(zs - speed * times) <= 5)).any()

    scale = length / FAR
    for way, kerb, lane in ((-side, near, near_parking), (side, far, far_parking)):
        z = rng.uniform(-1, 14)
        full = rng.uniform(0.15, 0.95)
        while lane and z < length * 0.55:
            ahead = 0.0 if rng.random() < (0.85 if way == -side else 0.3) else np.pi
            yaw, depth, step = ahead + rng.normal(0, 0.04), 1.0, rng.uniform(5.0, 7.0)
            if lane > 4:
                yaw, depth = way * np.pi / 2 * (1 if rng.random() < 0.6 else -1) + rng.normal(0, 0.08), 2.5
                step = rng.uniform(2.4, 3.2)
            if rng.random() < full:
                add(CAR, way * (kerb - depth) + rng.normal(0, 0.1), z, yaw)
            z += step
    z = rng.uniform(6, 30)
    for _ in range(rng.poisson(0.9)):
        add(CAR, rng.normal(0, 0.25), z, rng.normal(0, 0.03), max(speed * rng.uniform(0.95, 1.1), speed))
        z += rng.uniform(7, 25)
    for _ in range(rng.poisson(1.8 * scale)):
        add(CAR, side * rng.uniform(2.9, 3.7), rng.uniform(7, 70 * scale * 1.5), np.pi + rng.normal(0, 0.04), rng.uniform(4, 9))
    for _ in range(rng.poisson(0.6)):
        z = rng.uniform(9, 45) + 3 * speed
        x = rng.uniform(-0.5, 0.5) * z
        add(CAR, x, z, rng.uniform(0, 2 * np.pi) if rng.random() < 0.4 else rng.choice((-1, 1)) * np.pi / 2, 3.0)

    def distance(median: float) -> float:
        reach = float(np.clip(np.exp(rng.normal(np.log(median), 0.5)), 4.0, 75.0))
        return reach + rng.uniform(0, length - FAR) if length > FAR else reach

    for _ in range(rng.poisson(3.2 * scale)):
        way, kerb = ((-side, near), (side, far))[rng.integers(2)]
        x, z = way * (kerb + rng.uniform(0.4, pavement)), distance(20)
        yaw = (0 if rng.random() < 0.5 else np.pi) + rng.normal(0, 0.25)
        if rng.random() < 0.2:
            x, yaw = rng.uniform(-near, far) * side, rng.choice((-1, 1)) * np.pi / 2 + rng.normal(0, 0.3)
        pace = rng.uniform(0.9, 1.6)
        for _ in range(1 + (rng.random() < 0.3) + (rng.random() < 0.1)):
            add(PEDESTRIAN, x, z, yaw + rng.normal(0, 0.1), pace)
            x, z = x + way * rng.uniform(0.5, 0.8), z + rng.normal(0, 0.4)
    for _ in range(max(rng.poisson(1.3 * scale), 2 if seconds else 0)):
        z = distance(15)
        draw = rng.random()
        if draw < 0.55:
            add(BICYCLIST, -side * (near - near_parking - rng.uniform(0.3, 0.9)), z, rng.normal(0, 0.1), rng.uniform(3, 6))
        elif draw < 0.85:
            add(BICYCLIST, side * (far - far_parking - rng.uniform(0.4, 1.2)), z, np.pi + rng.normal(0, 0.1), rng.uniform(3, 6))
        else:
            add(BICYCLIST, rng.uniform(-near, far) * side, z, rng.uniform(0, 2 * np.pi), rng.uniform(2, 4))
    return actors
