# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pedestrians and bicyclists of the synthetic scenes: bodies of spheres; each part is the convex hull of its spheres.

Body axes: forward, up, right; metres, the origin on the ground below the hips.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcis_ros.data.synthetic.canvas import NEAR, Canvas, circle, turned

_SKIN = ((205, 160, 130), (190, 140, 110), (150, 105, 80), (95, 65, 50))
_HAIR = ((30, 24, 20), (60, 42, 28), (110, 82, 50), (150, 145, 140), (20, 18, 18))
_CLOTHES = (
    (24, 24, 28), (24, 24, 28), (20, 22, 26), (38, 40, 46), (38, 40, 46), (30, 34, 56), (30, 34, 56), (44, 40, 38),
    (58, 58, 62), (70, 62, 52), (96, 92, 86), (44, 52, 44), (120, 30, 32), (150, 60, 80), (60, 84, 130), (200, 198, 192),
    (160, 150, 130), (86, 60, 40), (40, 70, 64),
)  # fmt: skip
_LEGS = (
    (26, 27, 32), (22, 23, 26), (38, 46, 70), (34, 40, 58), (52, 66, 100), (66, 66, 66), (96, 84, 66), (30, 28, 26),
    (120, 112, 96),
)  # fmt: skip
_BAGS = ("none", "backpack", "shoulder", "hand")
Point = tuple[float, float, float]  # forward, up, right
Sphere = tuple[float, float, float, float]  # forward, up, right, radius
_WHEEL = circle(20)
_TUBES = np.array([
    ((-0.52, 0.34, 0), (-0.18, 0.9, 0)), ((-0.52, 0.34, 0), (-0.03, 0.3, 0)), ((-0.03, 0.3, 0), (-0.18, 0.98, 0)),
    ((-0.03, 0.3, 0), (0.36, 0.85, 0)), ((-0.15, 0.85, 0), (0.36, 0.88, 0)), ((0.54, 0.34, 0), (0.36, 1.0, 0)),
    ((0.42, 1.04, -0.27), (0.42, 1.04, 0.27)),
])  # fmt: skip


@dataclass(frozen=True)
class Person:
    """The size and clothes of a person.

    Attributes:
        scale: height relative to 1.75 m.
        girth: relative breadth.
        skin, hair, top, legs, shoes, extra: colours, RGB.
        coat: length of the top below the hips, metres.
        long_hair: whether the hair reaches the shoulders.
        skirt: whether the lower part of the coat has the colour of the legs.
        bag: kind of bag, one of ``_BAGS``.
        stride: amplitude of legs and arms, radians.
        helmet: whether a bicyclist wears a helmet.
        bicycle: colour of the bicycle's frame, RGB.
    """

    scale: float
    girth: float
    skin: tuple[float, ...]
    hair: tuple[float, ...]
    top: tuple[float, ...]
    legs: tuple[float, ...]
    shoes: tuple[float, ...]
    extra: tuple[float, ...]
    coat: float
    long_hair: bool
    skirt: bool
    bag: str
    stride: float
    helmet: bool
    bicycle: tuple[float, ...]


def _pick(rng: np.random.Generator, table: Sequence[Sequence[float]], spread: float = 8.0) -> tuple[float, ...]:
    colour = np.array(table[int(rng.integers(len(table)))], float) * rng.uniform(0.75, 1.2) + rng.normal(0, spread, 3)
    return tuple(np.clip(colour, 6, 240))


def make_person(rng: np.random.Generator, cyclist: bool = False) -> Person:
    """Makes a random person; a bicyclist is an adult, often with a helmet or a bright vest, rarely with a handbag."""
    child = not cyclist and rng.random() < 0.08
    top = _pick(rng, _CLOTHES)
    if rng.random() < (0.22 if cyclist else 0.03):
        top = _pick(rng, ((205, 215, 40), (225, 120, 30)))
    return Person(
        scale=rng.uniform(0.62, 0.8) if child else rng.uniform(0.9, 1.09),
        girth=rng.uniform(0.88, 1.25),
        skin=_pick(rng, _SKIN, 5),
        hair=_pick(rng, _HAIR, 5),
        top=top,
        legs=_pick(rng, _LEGS),
        shoes=_pick(rng, ((24, 22, 20), (50, 40, 34), (170, 168, 165)), 4),
        extra=_pick(rng, _CLOTHES),
        coat=float(rng.choice((-0.02, 0.05, 0.2, 0.42), p=(0.35, 0.35, 0.2, 0.1))) if not cyclist else 0.0,
        long_hair=bool(rng.random() < 0.35),
        skirt=bool(rng.random() < 0.12) and not cyclist,
        bag=str(rng.choice(_BAGS, p=(0.5, 0.3, 0, 0.2) if cyclist else (0.5, 0.16, 0.18, 0.16))),
        stride=rng.uniform(0.3, 0.55) if rng.random() < 0.85 else 0.06,
        helmet=bool(cyclist and rng.random() < 0.45),
        bicycle=_pick(rng, ((25, 25, 28), (110, 20, 22), (25, 40, 90), (120, 122, 125), (30, 70, 50))),
    )


def _swing(start: Point, length: float, angle: float) -> Point:
    """Returns the end of a limb that hangs at ``angle`` forward of straight down."""
    return start[0] + length * np.sin(angle), start[1] - length * np.cos(angle), start[2]


def _pair(s: float, y: float, t: float, radius: float) -> tuple[Sphere, Sphere]:
    """Returns a sphere on the right and its mirror image on the left."""
    return (s, y, t, radius), (s, y, -t, radius)


class _Body:
    """Collects spheres in coloured parts."""

    def __init__(self, person: Person):
        self.person = person
        self.spheres: list[Sphere] = []
        self.groups: list[slice] = []
        self.colours: list[Sequence[float]] = []

    def part(self, colour: Sequence[float], *spheres: Sphere) -> None:
        self.groups.append(slice(len(self.spheres), len(self.spheres) + len(spheres)))
        self.spheres += spheres
        self.colours.append(colour)

    def limb(self, colour: Sequence[float], a: Point, ra: float, b: Point, rb: float) -> None:
        self.part(colour, (*a, ra * self.person.girth), (*b, rb * self.person.girth))

    def head(self, s: float, y: float) -> None:
        person = self.person
        self.limb(person.skin, (s - 0.02, y - 0.18, 0.0), 0.055, (s, y - 0.05, 0.0), 0.06)
        self.part(person.skin, (s + 0.02, y + 0.03, 0.0, 0.098), (s + 0.025, y - 0.05, 0.0, 0.08))
        if person.helmet:
            self.part(person.extra, (s + 0.04, y + 0.08, 0.0, 0.11), (s - 0.09, y + 0.07, 0.0, 0.10))
        else:
            fall = (s - 0.06, y - 0.17, 0.0, 0.09) if person.long_hair else (s - 0.05, y - 0.03, 0.0, 0.08)
            self.part(person.hair, (s - 0.035, y + 0.06, 0.0, 0.102), fall)
            self.part(person.hair, (s + 0.02, y + 0.085, 0.0, 0.085))

    def backpack(self, hip_s: float, hip_y: float, shoulder_s: float, shoulder_y: float) -> None:
        s = 0.5 * (hip_s + shoulder_s) - 0.2
        low, high = 0.7 * hip_y + 0.3 * shoulder_y, shoulder_y - 0.06
        self.part(self.person.extra, *_pair(s, low, -0.1, 0.1), *_pair(s + 0.04, high, -0.09, 0.08))

    def draw(self, canvas: Canvas, x: float, z: float, yaw: float, sun: np.ndarray, ambient: float) -> None:
        spheres = np.array(self.spheres)
        spheres[:, :3] = turned(spheres[:, :3], yaw, self.person.scale) + np.array([x, 0.0, z])
        spheres[:, 3] *= self.person.scale
        depth = float(canvas.camera.view(np.array([x, 0.9, z]))[2])
        glint = 0.38 * np.array([0.8 * np.sign(sun[0]), 0.4, -0.6]) if NEAR < depth < 22 else None
        canvas.blobs(spheres, self.groups, np.array(self.colours) * _light(sun, ambient), glint)


def _light(sun: np.ndarray, ambient: float) -> float:
    return ambient + 0.4 * float(np.linalg.norm(sun))


def _pedestrian(person: Person, phase: float) -> _Body:
    body, g = _Body(person), person.girth
    bob = 0.02 * np.cos(2 * phase) * person.stride
    hip, shoulder = 0.93 + bob, 1.43 + bob
    for side in (1, -1):
        angle = person.stride * np.sin(phase) * side
        bend = 0.12 + person.stride * 1.1 * max(0.0, np.cos(phase) * -side) + max(0.0, -angle) * 0.35
        knee = _swing((0.0, hip, 0.085 * side), 0.43, angle + 0.06)
        ankle = _swing(knee, 0.42, angle + 0.06 - bend)
        body.limb(person.legs, (0.0, hip, 0.085 * side), 0.098, knee, 0.072)
        body.limb(person.skin if person.skirt else person.legs, knee, 0.066, ankle, 0.05)
        s, y, t = ankle
        body.part(person.shoes, (s - 0.03, max(y - 0.03, 0.04), t, 0.045), (s + 0.15, max(y - 0.05, 0.03), t, 0.035))
        arm = -0.75 * angle
        start = (0.0, shoulder - 0.03, 0.205 * side * g)
        elbow = _swing(start, 0.29, arm)
        hand = _swing(elbow, 0.25, arm + 0.25)
        body.limb(person.top, start, 0.062, elbow, 0.05)
        body.limb(person.top, elbow, 0.05, hand, 0.04)
        body.part(person.skin, (*_swing(hand, 0.05, arm + 0.25), 0.042))
        if person.bag == "hand" and side == 1:
            s, y, t = hand
            body.part(person.extra, *((s + a, y - b, t + 0.03, 0.05) for b in (0.18, 0.4) for a in (-0.1, 0.1)))
    chest = (*_pair(0, shoulder - 0.03, 0.15 * g, 0.085), *_pair(0.03, shoulder - 0.2, 0.1, 0.12 * g))
    body.part(person.top, *chest, *_pair(0, hip + 0.02, 0.075, 0.11 * g))
    if person.coat > 0.1 or person.skirt:
        low = hip - max(person.coat, 0.25) if person.skirt else hip - person.coat
        hem = ((0.05, low, 0.09, 0.12 * g), (-0.05, low, -0.09, 0.12 * g))
        body.part(person.legs if person.skirt else person.top, *_pair(0, hip, 0.08, 0.12 * g), *hem)
    body.head(0.03, 1.63 + bob)
    if person.bag == "backpack":
        body.backpack(0, hip, 0, shoulder)
    elif person.bag == "shoulder":
        body.part(person.extra, (-0.1, hip, 0.26 * g, 0.07), (0.1, hip, 0.26 * g, 0.07), (0, hip + 0.2, 0.25 * g, 0.06))
    return body


def _rider(person: Person, phase: float) -> _Body:
    body, g = _Body(person), person.girth
    for side in (1, -1):
        turn = phase + (0 if side == 1 else np.pi)
        s, y, t = -0.03 + 0.17 * np.cos(turn), 0.3 + 0.17 * np.sin(turn), 0.12 * side  # the foot
        hip = np.array((-0.2, 1.03 - 0.05))
        reach = np.array((s, y)) + (-0.03, 0.06) - hip
        distance = min(float(np.hypot(*reach)), 0.87)
        # Thigh and shin are 0.44 m long; the knee lies in front of the line from hip to foot.
        out = np.sqrt(max(0.44**2 - (distance / 2) ** 2, 0.0))
        along = reach / np.hypot(*reach)
        knee = (*(hip + along * distance / 2 + np.array((-along[1], along[0])) * out), 0.11 * side)
        body.limb(person.legs, (*hip, 0.09 * side), 0.098, knee, 0.072)
        body.limb(person.legs, knee, 0.066, (s - 0.03, y + 0.06, t), 0.05)
        body.part(person.shoes, (s - 0.06, y, t, 0.045), (s + 0.12, y - 0.01, t, 0.035))
        elbow, hand = (0.22, 1.22, 0.28 * side), (0.44, 1.06, 0.24 * side)
        body.limb(person.top, (0.1, 1.5 - 0.02, 0.2 * side * g), 0.064, elbow, 0.05)
        body.limb(person.top, elbow, 0.05, hand, 0.04)
        body.part(person.skin, (*hand, 0.045))
    chest = (*_pair(0.1, 1.49, 0.14 * g, 0.085), *_pair(0.0, 1.3, 0.1, 0.13 * g))
    body.part(person.top, *chest, *_pair(-0.18, 1.08, 0.07, 0.12 * g))
    body.part(person.legs, *_pair(-0.22, 1.0, 0.09, 0.12 * g))
    body.head(0.2, 1.72)
    if person.bag == "backpack":
        body.backpack(-0.2, 1.0, 0.1, 1.5)
    elif person.bag == "hand":
        body.part(person.extra, *((-0.55 + a, 0.62 + b, t, 0.08) for a in (0, 0.22) for b in (0, 0.2) for t in (-0.18, 0.18)))
    return body


def draw_pedestrian(
    canvas: Canvas, person: Person, phase: float, x: float, z: float, yaw: float, sun: np.ndarray, ambient: float
) -> None:
    """Paints a walking person; ``phase`` (radians) advances by 2 pi with every second step, ``yaw`` as for vehicles."""
    _pedestrian(person, phase).draw(canvas, x, z, yaw, sun, ambient)


def draw_bicyclist(
    canvas: Canvas, person: Person, phase: float, x: float, z: float, yaw: float, sun: np.ndarray, ambient: float
) -> None:
    """Paints a rider and the bicycle as one object; ``phase`` (radians) is the angle of the pedals."""
    light = _light(sun, ambient)
    rubber = np.array((22.0, 22.0, 23.0)) * light

    def to_world(points: np.ndarray) -> np.ndarray:
        return turned(points, yaw, person.scale) + np.array([x, 0.0, z])

    for s in (-0.52, 0.54):
        ring = to_world(np.column_stack([0.335 * _WHEEL + (s, 0.34), np.zeros(20)]))
        canvas.veil(ring, (90 * light, 90 * light, 92 * light), 0.35)
        canvas.lines(np.concatenate([ring, ring[:1]])[None], 0.04, rubber)
    canvas.lines(to_world(_TUBES), 0.035, np.array(person.bicycle) * light)
    if person.girth > 1.05:
        rear = np.array(((-0.52, 0.55, -0.05), (-0.52, 0.55, 0.05), (-0.5, 0.85, 0.05), (-0.5, 0.85, -0.05)))
        canvas.face(to_world(rear), rubber)
    _rider(person, phase).draw(canvas, x, z, yaw, sun, ambient)
