# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Motor vehicles of the synthetic scenes: an extruded side profile with glass, lights, plates and wheels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcis_ros.data.synthetic.canvas import Canvas, Colour, circle, turned

Points = Sequence[Sequence[float]] | np.ndarray
Span = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """One body shape.

    Attributes:
        profile: corners from the lower rear edge over the roof to the lower front edge, each as a fraction of the length
            (-0.5 rear .. 0.5 front) and of the height.
        belt: indices of the two corners where the glass begins and the body narrows.
        length: range of the length in metres.
        width: width in metres.
        height: range of the height in metres.
        wheel: radius of the wheels in metres.
        windows: ends of the side windows, as fractions of the length.
        narrow: fraction by which the roof is narrower than the body.
    """

    profile: tuple[tuple[float, float], ...]
    belt: tuple[int, int]
    length: tuple[float, float]
    width: float
    height: tuple[float, float]
    wheel: float
    windows: tuple[tuple[float, float], ...] = ((-0.5, -0.24), (-0.22, 0.0), (0.02, 0.5))
    narrow: float = 0.2


# fmt: off
STYLES = {
    "hatchback": Style(
        ((-0.49, 0.15), (-0.5, 0.22), (-0.5, 0.40), (-0.485, 0.62), (-0.41, 0.92), (-0.35, 0.98), (-0.05, 1.0), (0.07, 0.965),
         (0.26, 0.62), (0.42, 0.53), (0.48, 0.45), (0.5, 0.36), (0.49, 0.15)), (3, 8), (3.5, 4.1), 1.68, (1.38, 1.52), 0.30),
    "saloon": Style(
        ((-0.49, 0.16), (-0.5, 0.24), (-0.5, 0.42), (-0.485, 0.61), (-0.34, 0.64), (-0.20, 0.95), (-0.14, 0.985), (0.0, 1.0),
         (0.07, 0.97), (0.24, 0.64), (0.43, 0.55), (0.48, 0.47), (0.5, 0.37), (0.49, 0.15)), (4, 9), (4.3, 4.9), 1.75,
        (1.36, 1.46), 0.32, ((-0.5, -0.1), (-0.08, 0.5))),
    "estate": Style(
        ((-0.49, 0.15), (-0.5, 0.22), (-0.5, 0.40), (-0.49, 0.63), (-0.45, 0.93), (-0.41, 0.98), (-0.05, 1.0), (0.07, 0.965),
         (0.25, 0.63), (0.43, 0.54), (0.48, 0.46), (0.5, 0.36), (0.49, 0.15)), (3, 8), (4.2, 4.7), 1.74, (1.42, 1.55), 0.32),
    "suv": Style(
        ((-0.49, 0.20), (-0.5, 0.28), (-0.5, 0.42), (-0.495, 0.61), (-0.46, 0.93), (-0.42, 0.98), (-0.05, 1.0), (0.08, 0.97),
         (0.22, 0.62), (0.44, 0.57), (0.49, 0.50), (0.5, 0.40), (0.49, 0.20)), (3, 8), (4.1, 4.8), 1.85, (1.65, 1.85), 0.37),
    "mpv": Style(
        ((-0.49, 0.14), (-0.5, 0.2), (-0.5, 0.38), (-0.49, 0.58), (-0.46, 0.92), (-0.41, 0.98), (-0.1, 1.0), (0.06, 0.95),
         (0.33, 0.56), (0.45, 0.48), (0.49, 0.41), (0.5, 0.33), (0.49, 0.14)), (3, 8), (4.0, 4.6), 1.76, (1.58, 1.72), 0.31),
    "van": Style(
        ((-0.495, 0.12), (-0.5, 0.18), (-0.5, 0.34), (-0.5, 0.52), (-0.49, 0.95), (-0.47, 0.99), (0.1, 1.0), (0.19, 0.96),
         (0.36, 0.53), (0.46, 0.45), (0.49, 0.39), (0.5, 0.28), (0.49, 0.12)), (3, 8), (4.2, 5.6), 1.95, (1.9, 2.5), 0.33,
        ((0.14, 0.5),), 0.1),
    "lorry": Style(
        ((-0.5, 0.12), (-0.5, 0.18), (-0.5, 0.25), (-0.5, 0.45), (-0.5, 0.99), (-0.49, 1.0), (0.2, 1.0), (0.47, 0.96),
         (0.49, 0.45), (0.5, 0.40), (0.5, 0.35), (0.5, 0.25), (0.5, 0.10)), (3, 8), (6.0, 9.0), 2.4, (2.9, 3.6), 0.45,
        ((0.30, 0.5),), 0.02),
    "bus": Style(
        ((-0.5, 0.10), (-0.5, 0.14), (-0.5, 0.22), (-0.5, 0.45), (-0.495, 0.97), (-0.48, 1.0), (0.2, 1.0), (0.49, 0.98),
         (0.5, 0.42), (0.5, 0.38), (0.5, 0.33), (0.5, 0.22), (0.5, 0.10)), (3, 8), (9.0, 11.0), 2.5, (2.9, 4.2), 0.48,
        tuple((-0.48 + 0.14 * i, -0.36 + 0.14 * i) for i in range(7)), 0.02),
}
# Probability of each shape and of each colour (RGB).
FREQUENCY = {"hatchback": 0.33, "saloon": 0.22, "estate": 0.13, "suv": 0.08, "mpv": 0.09, "van": 0.10,
             "lorry": 0.02, "bus": 0.03}

PAINTS = (
    ((168, 172, 175), 0.22), ((120, 124, 128), 0.10), ((28, 30, 34), 0.17), ((48, 52, 60), 0.10), ((28, 42, 84), 0.10),
    ((60, 88, 140), 0.05), ((140, 24, 26), 0.10), ((222, 222, 220), 0.09), ((24, 56, 46), 0.04), ((150, 140, 110), 0.02),
    ((86, 20, 30), 0.03), ((70, 130, 150), 0.02), ((190, 160, 40), 0.01),
)
# fmt: on


@dataclass(frozen=True, eq=False)
class Vehicle:
    """Coloured planar faces in the vehicle's axes: forward, up, right; metres, the origin on the ground below its middle.

    Attributes:
        vertices: [V, 3] corners of all faces, face by face.
        spans: [F + 1] index of each face's first corner, and V.
        colours: [F, 3] RGB.
        normals: [F, 3] unit normals.
        glow: [F] bool, faces that emit light and are not shaded.
        length: length in metres.
        width: width in metres.
    """

    vertices: np.ndarray
    spans: np.ndarray
    colours: np.ndarray
    normals: np.ndarray
    glow: np.ndarray
    length: float
    width: float

    def draw(self, canvas: Canvas, x: float, z: float, yaw: float, sun: np.ndarray, ambient: float) -> None:
        """Paints the faces turned to the camera.

        Args:
            canvas: canvas to paint on.
            x, z: position on the ground, metres.
            yaw: heading, radians; 0 is away from the camera.
            sun: [3] direction to the sun, scaled by its strength.
            ambient: strength of the light from all other directions.
        """
        world, normals = turned(self.vertices, yaw) + np.array([x, 0.0, z]), turned(self.normals, yaw)
        camera = canvas.camera
        towards = np.array([camera.x, camera.y, camera.z]) - world[self.spans[:-1]]
        seen = np.einsum("fi,fi->f", normals, towards) > 0
        # The sky lights faces that point up; otherwise roofs and bonnets would look like doors.
        light = ambient * (0.8 + 0.45 * normals[:, 1]) + np.maximum(normals @ sun, 0)
        shaded = np.where(self.glow[:, None], self.colours, self.colours * light[:, None])
        sizes = np.diff(self.spans)
        canvas.mesh(world[np.repeat(seen, sizes)], np.concatenate([[0], np.cumsum(sizes[seen])]), shaded[seen])

    def footprint(self, x: float, z: float, yaw: float) -> np.ndarray:
        """Returns the corners [4, 3] of the ground below the vehicle, in the world."""
        ahead = np.array([np.sin(yaw), 0, np.cos(yaw)]) * self.length * 0.49
        side = np.array([np.cos(yaw), 0, -np.sin(yaw)]) * self.width * 0.5
        return np.array([x, 0, z]) + np.array([ahead + side, ahead - side, -ahead - side, -ahead + side])


class _Builder:
    """Collects faces; ``side``, ``band`` and ``strip`` address the body by fractions of its length, height and width."""

    def __init__(self, rng: np.random.Generator, name: str):
        self.rng, self.name, self.style, self.large = rng, name, STYLES[name], name in ("lorry", "bus")
        self.length, self.height, self.half = (
            rng.uniform(*self.style.length),
            rng.uniform(*self.style.height),
            self.style.width / 2,
        )
        self.s, self.h = zip(*self.style.profile, strict=True)
        self.belt = 0.5 * (self.h[self.style.belt[0]] + self.h[self.style.belt[1]])
        self.faces: list[tuple[Points, Colour, Sequence[float], bool]] = []

    def across(self, s: float, h: float) -> float:
        """Returns half the width at a point of the profile, metres."""
        top = min(max((h - self.belt) / (1 - self.belt), 0.0), 1.0)
        ends = min(max((abs(s) - 0.40) / 0.1, 0.0), 1.0)
        return self.half * (1 - self.style.narrow * top) * (1 - 0.07 * ends)

    def add(self, points: Points, colour: Colour, normal: Sequence[float], glow: bool = False) -> None:
        self.faces.append((points, colour, normal, glow))

    def side(self, s: Sequence[float], h: Sequence[float], colour: Colour, out: float = 0.0) -> None:
        """Adds a polygon on both sides of the body."""
        up = 0.35 if sum(h) > self.belt * len(h) else 0.08
        for sign in (1, -1):
            points = [(a * self.length, b * self.height, sign * (self.across(a, b) + out)) for a, b in zip(s, h, strict=True)]
            self.add(points, colour, (0, up, sign))

    def band(self, s0: float, s1: float, h0: float, h1: float, colour: Colour) -> None:
        """Adds a rectangle on both sides of the body."""
        self.side((s0, s0, s1, s1), (h0, h1, h1, h0), colour)

    def strip(self, i: int, colour: Colour, u: Span = (0.0, 1.0), v: Span = (0.0, 1.0), glow: bool = False) -> None:
        """Adds a part of the face between corners i and i + 1 of the profile; u runs across it, v along it."""
        ds, dh = self.s[i + 1] - self.s[i], self.h[i + 1] - self.h[i]
        corners = []
        for t, sides in ((v[0], u), (v[1], u[::-1])):
            s, h = self.s[i] + ds * t, self.h[i] + dh * t
            half = self.across(s, h)
            corners += [(s * self.length, h * self.height, half * (2 * side - 1)) for side in sides]
        self.add(corners, colour, (-dh * self.height, ds * self.length, 0), glow)

    def edge(self, h: float, front: bool) -> float:
        """Returns the position, as a fraction of the length, where the glass ends at height h."""
        first, last = self.style.belt
        corners = range(last, last - 3, -1) if front else range(first, first + 3)
        return float(np.interp(h, [self.h[i] for i in corners], [self.s[i] for i in corners]))

    def wheel(self, s: float, radius: float, hub: np.ndarray) -> None:
        colours: tuple[Colour, ...] = ((12, 12, 13), (24, 24, 25), hub, hub * 0.55, hub)
        rings = zip((1.16, 1.0, 0.66, 0.40, 0.16), (0.004, 0.008, 0.012, 0.013, 0.014), colours, strict=True)
        for ratio, out, colour in rings:
            ring = np.column_stack([radius * ratio * circle(14) + (s * self.length, radius), np.zeros(14)])
            np.maximum(ring, [-np.inf, 0, 0], out=ring)
            for sign in (1, -1):
                self.add(ring + [0, 0, sign * (self.half + out)], colour, (0, 0, sign))

    def tyre(self, s: float, radius: float) -> None:
        """Adds the treads that are visible below the body from the front and the rear."""
        for sign in (1, -1):
            inner, outer = sign * (self.half - 0.19), sign * (self.half - 0.01)
            for end in (1, -1):
                x = s * self.length + end * radius * 0.75
                tread = [(x, 0, inner), (x, 0, outer), (x, 1.3 * radius, outer), (x, 1.3 * radius, inner)]
                self.add(tread, (20, 20, 21), (end, 0, 0))


def _choose(rng: np.random.Generator, weights: Sequence[float]) -> int:
    total = np.cumsum(weights)
    return int(np.searchsorted(total, rng.random() * total[-1], side="right"))


def make_vehicle(rng: np.random.Generator, style: str | None = None) -> Vehicle:
    """Makes a random vehicle; ``style`` is a key of ``STYLES``, None draws one by ``FREQUENCY``."""
    if style is None:
        style = list(FREQUENCY)[_choose(rng, list(FREQUENCY.values()))]
    build = _Builder(rng, style)
    form = build.style
    paint = np.array(PAINTS[_choose(rng, [weight for _, weight in PAINTS])][0], float)
    if style in ("van", "lorry") and rng.random() < 0.6:
        paint = np.array((215.0, 216.0, 214.0))
    if style == "bus":
        paint = np.array(((60, 110, 160), (160, 30, 35), (220, 215, 200), (30, 90, 60))[rng.integers(4)], float)
    paint = np.clip((0.85 * paint + 0.15 * paint.mean()) * rng.uniform(0.8, 1.15) + rng.normal(0, 5, 3), 8, 245)
    glass = np.clip(np.array((34, 40, 46)) * rng.uniform(0.5, 1.6), 5, 120)
    sky = np.clip(glass + rng.uniform(10, 90), 0, 190)
    plastic = paint * 0.92 if rng.random() < 0.65 else np.array((44.0, 45.0, 47.0))
    dark = np.array((22.0, 23.0, 25.0))
    first, last = form.belt
    belt, count = build.belt, len(build.s)
    for s in (-0.30, 0.31):
        build.tyre(s, form.wheel)
    under = 0.6 * form.wheel / build.height
    corners = [(under * build.height, -1), (under * build.height, 1), (0.24 * build.height, 1), (0.24 * build.height, -1)]
    build.add([(-0.46 * build.length, up, side * build.half * 0.95) for up, side in corners], dark, (-1, 0, 0))
    # Body: rear, top and front strips, then the flanks in bands that darken towards the sill.
    bumpers = {0: plastic * 0.55, 1: plastic, count - 3: plastic, count - 2: plastic * 0.55}
    for i in range(count - 1):
        build.strip(i, bumpers.get(i, paint))
    lower = [*range(first + 1), *range(last, count)]
    build.side([build.s[i] for i in lower], [min(build.h[i], belt) for i in lower], paint)
    build.band(-0.48, 0.48, 0.16, 0.30, paint * 0.78)
    build.band(-0.47, 0.47, 0.15, 0.19, dark)
    if rng.random() < 0.6:
        build.band(-0.44, 0.44, 0.37, 0.385, paint * 0.6 if rng.random() < 0.6 else dark)
    upper = range(first, last + 1)
    build.side([build.s[i] for i in upper], [max(build.h[i], belt) for i in upper], paint * 0.95)
    # Side windows and door gaps.
    low, high = belt + 0.02, 0.85 if build.large else 0.93
    rear = (build.edge(low, False) + 0.025, build.edge(high, False) + 0.03)
    front = (build.edge(low, True) - 0.02, build.edge(high, True) - 0.015)
    for a, b in form.windows:
        pane = (max(a, rear[0]), max(a, rear[1]), min(b, front[1]), min(b, front[0]))
        if pane[0] < pane[3] - 0.01 and pane[1] < pane[2]:
            build.side(pane, (low, high, high, low), glass, out=0.004)
            middle = (pane[0], 0.5 * pane[0] + 0.5 * pane[1], 0.5 * pane[3] + 0.5 * pane[2], pane[3])
            height = 0.7 * low + 0.3 * high
            build.side(middle, (low, height, height, low), 0.6 * glass + 0.4 * sky, out=0.005)
        if not build.large:
            gap = b if b < 0.4 else a
            build.band(gap, gap + 0.006, 0.2, belt, paint * 0.45)
            build.band(a + 0.02, a + 0.06, belt - 0.07, belt - 0.045, paint * 0.5)
    for s in (-0.30, 0.31):
        build.wheel(s, form.wheel, np.array((130.0, 132.0, 135.0)) * rng.uniform(0.4, 1.25))
    _add_rear(build, glass, sky, plastic, dark)
    _add_front(build, glass, sky, dark)
    points, colours, normals, glow = zip(*build.faces, strict=True)
    spans = np.cumsum([0, *map(len, points)])
    normals = np.array(normals) / np.linalg.norm(normals, axis=1, keepdims=True)
    vertices, colours = np.concatenate(points), np.array(colours, float)
    return Vehicle(vertices, spans, colours, normals, np.array(glow), build.length, form.width)


def _add_rear(build: _Builder, glass: np.ndarray, sky: np.ndarray, plastic: np.ndarray, dark: np.ndarray) -> None:
    """Adds rear window, lamps, plate and bumper."""
    rng, style, first = build.rng, build.name, build.style.belt[0]
    red = np.array((150.0, 18.0, 16.0)) * rng.uniform(0.6, 1.2)
    braking = rng.random() < 0.25
    if braking:
        red = np.array((245.0, 60.0, 45.0))
    if style != "lorry" and not (style == "van" and rng.random() < 0.5):
        panes = ((0.06, 0.485), (0.515, 0.94)) if style == "van" else ((0.07, 0.93),)
        for u in panes:
            build.strip(first, glass, u, (0.08, 0.9))
            build.strip(first, 0.5 * glass + 0.5 * sky, (u[0] + 0.04, u[1] - 0.04), (0.1, rng.uniform(0.3, 0.6)))
    lamp = rng.uniform(0.12, 0.22) if style not in ("van", "lorry", "bus") else 0.09
    v = (0.0, 0.95) if style == "lorry" else (rng.uniform(0.0, 0.4), 0.95)
    for u in ((0.0, lamp), (1 - lamp, 1.0)):
        build.strip(2, red, u, v, glow=braking)
        build.strip(2, (205, 120, 50), u, (v[0] + 0.1 * (v[1] - v[0]), v[0] + 0.35 * (v[1] - v[0])))
        if style in ("estate", "suv", "mpv"):
            edge = (u[0], u[0] + 0.07) if u[0] < 0.5 else (0.93, 1.0)
            build.strip(first, red, edge, (0.0, 0.75), glow=braking)
    half = 0.26 / build.style.width
    tall = 0.11 / max((build.h[3] - build.h[2]) * build.height, 0.1)
    low = rng.uniform(0.1, 0.5)
    plate = (205, 175, 50) if rng.random() < 0.75 else (215, 215, 210)
    build.strip(2, plate, (0.5 - half, 0.5 + half), (low, min(low + tall, 1.0)))
    build.strip(2, (50, 46, 30), (0.5 - 0.8 * half, 0.5 + 0.8 * half), (low + 0.35 * tall, min(low + 0.65 * tall, 1.0)))
    build.strip(1, plastic * 0.7, (0.03, 0.97), (0.75, 0.98))
    build.strip(1, dark, (0.1, 0.9), (0.0, 0.25))


def _add_front(build: _Builder, glass: np.ndarray, sky: np.ndarray, dark: np.ndarray) -> None:
    """Adds windscreen, headlamps, grille and plate."""
    rng, last, count = build.rng, build.style.belt[1], len(build.s)
    screen = 0.6 * glass + 0.4 * sky
    build.strip(last - 1, screen, (0.05, 0.95), (0.1, 0.96))
    build.strip(last - 1, glass * 0.8, (0.08, 0.92), (0.55, 0.96))
    if rng.random() < 0.6:
        start = 0.62 if rng.random() < 0.5 else 0.16
        build.strip(last - 1, glass * 0.4, (start, start + 0.2), (0.45, 0.96))
    lit = rng.random() < 0.3
    lamp = np.array((250.0, 248.0, 235.0)) if lit else np.array((170.0, 175.0, 180.0)) * rng.uniform(0.7, 1.2)
    width = 0.14 if build.large else rng.uniform(0.17, 0.27)
    for u in ((0.01, width), (1 - width, 0.99)):
        build.strip(count - 4, dark * 2, u, (-0.05, 1.0))
        build.strip(count - 4, lamp, (u[0] + 0.015, u[1] - 0.015), (0.1, 0.95), glow=lit)
    build.strip(count - 4, dark, (width + 0.04, 0.96 - width), (0.15, 0.85))
    build.strip(count - 3, dark * rng.uniform(0.8, 2), (0.22, 0.78), (0.55, 0.95))
    half = 0.26 / build.style.width
    build.strip(count - 3, (220, 220, 212), (0.5 - half, 0.5 + half), (0.12, 0.45))
    build.strip(count - 3, (60, 60, 60), (0.5 - 0.8 * half, 0.5 + 0.8 * half), (0.24, 0.34))


def shadow_below(vehicle: Vehicle, x: float, z: float, yaw: float, sun: np.ndarray) -> list[np.ndarray]:
    """Returns the ground polygons [N, 3] that the vehicle darkens: below it, and along the direction of the sun."""
    base = vehicle.footprint(x, z, yaw)
    shift = np.array([-sun[0], 0, -sun[2]]) / max(sun[1], 0.15) * 1.2
    return [base, base * [1, 0, 1] + shift * 0.5, base * [1, 0, 1] + shift]
