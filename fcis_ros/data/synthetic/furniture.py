# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Trees and street furniture of the synthetic scenes, which a network must learn to tell from cars and people."""

from dataclasses import dataclass

import numpy as np

from fcis_ros.data.synthetic.canvas import SCALE, Canvas, circle

TREES = 40  # number of different trees
_VIVID = ((200, 30, 30), (30, 60, 170), (235, 235, 230), (220, 190, 40), (30, 110, 60))


@dataclass(frozen=True, eq=False)
class Prop:
    """A piece of street furniture, which belongs to no class.

    Attributes:
        z: position of its far end, metres.
        points: [V, 3] corners of its faces, one face after the other.
        spans: [F + 1] index of each face's first corner, and V.
        colours: [F, 3] RGB.
    """

    z: float
    points: np.ndarray
    spans: np.ndarray
    colours: np.ndarray


def grey(rng: np.random.Generator, low: float, high: float, tint: float = 4.0) -> np.ndarray:
    """Returns a random colour near grey, with brightness between ``low`` and ``high``."""
    return np.clip(rng.uniform(low, high) + rng.normal(0, tint, 3), 0, 255)


def _across(x: float, z: float, width: float, low: float, high: float) -> np.ndarray:
    """Returns an upright rectangle [4, 3] that faces the camera."""
    return np.array([(x - width / 2, low, z), (x + width / 2, low, z), (x + width / 2, high, z), (x - width / 2, high, z)])


def upright_along(x: float, start: float, end: float, low: float, high: float) -> np.ndarray:
    """Returns an upright rectangle [4, 3] along the road."""
    return np.array([(x, low, start), (x, low, end), (x, high, end), (x, high, start)])


def make_prop(rng: np.random.Generator, x: float, z: float, side: int) -> Prop:
    """Makes a random pole, sign, traffic light, bollard, bin, box, board, fence or wall."""
    kind = rng.integers(9)
    plain = grey(rng, 30, 150)
    end = z
    vivid = np.clip(np.array(_VIVID[rng.integers(5)]) * rng.uniform(0.6, 1), 0, 255)
    if kind == 0:
        tall = rng.uniform(5, 9)
        faces = [(_across(x, z, 0.13, 0, tall), plain), (_across(x - side * 0.7, z, 1.4, tall - 0.12, tall), plain)]
    elif kind == 1:
        low = rng.uniform(1.6, 2.6)
        if rng.random() < 0.5:
            shape = np.column_stack([0.32 * circle(12) + (x, low), np.full(12, z - 0.02)])
        else:
            shape = _across(x, z - 0.02, rng.uniform(0.4, 0.9), low - 0.3, low + rng.uniform(0.2, 0.6))
        inner = shape.mean(axis=0) + (shape - shape.mean(axis=0)) * 0.72 - [0, 0, 0.01]
        sign = np.array((225.0, 225, 220)) if rng.random() < 0.6 else vivid * 0.8
        faces = [(_across(x, z, 0.07, 0, low), plain), (shape, vivid), (inner, sign)]
    elif kind == 2:
        lamp = int(rng.integers(3))
        shine = np.array(((60.0, 230, 170), (235, 160, 40), (240, 40, 40))[lamp])
        faces = [
            (_across(x, z, 0.12, 0, 2.3), plain * 0.5),
            (_across(x, z - 0.02, 0.32, 2.2, 3.1), np.array((18.0, 18, 20))),
            (_across(x, z - 0.04, 0.2, 2.3 + 0.28 * lamp, 2.5 + 0.28 * lamp), shine),
        ]
    elif kind in (3, 4):
        wide, tall = (0.16, rng.uniform(0.8, 1.1)) if kind == 3 else (rng.uniform(0.4, 0.7), rng.uniform(0.9, 1.7))
        body = vivid * 0.6 if rng.random() < 0.35 else plain * 0.6
        faces = [
            (_across(x, z, wide, 0, tall), body),
            (_across(x, z - 0.01, wide * 1.1, tall * 0.82, tall * 0.9), body * 1.5),
            (_across(x + 0.3 * wide, z - 0.01, 0.4 * wide, 0, tall * 0.8), body * 0.75),
        ]
    elif kind == 5:
        faces = [
            (_across(x, z, 0.6, 0.1, 1.1), vivid),
            (_across(x, z - 0.01, 0.48, 0.2, 1.0), np.array((210.0, 208, 200)) * rng.uniform(0.3, 1)),
            (_across(x, z - 0.02, 0.4, 0.6, 0.75), vivid * 0.5),
        ]
    elif kind == 6:
        long = rng.uniform(4, 12)
        end = z + long
        faces = [(upright_along(x, z + i, z + i + 0.06, 0, 1.0), plain * 0.6) for i in np.arange(0, long, 0.5).tolist()]
        faces.append((upright_along(x, z, z + long, 0.95, 1.02), plain * 0.6))
    elif kind == 7:
        long, tall, out = rng.uniform(4, 15), rng.uniform(0.5, 2.0), x + side * 2.5
        end = z + long
        body = np.array((62.0, 74, 40)) * rng.uniform(0.5, 1.1) if rng.random() < 0.5 else grey(rng, 60, 150, 12)
        faces = [(upright_along(out, z, z + long, 0, tall), body), (_across(out + side / 2, z, side, 0, tall), body * 0.8)]
    else:
        wide, tall = rng.uniform(1.0, 2.8), rng.uniform(2.0, 2.6)
        faces = [
            (_across(x + side * 0.8, z, wide, 0, tall), plain * 0.5),
            (_across(x + side * 0.8, z - 0.02, wide * 0.85, 0.4, tall - 0.3), plain),
            (_across(x + side * 0.8, z - 0.03, wide * 0.6, 0.9, tall - 0.6), vivid * 0.8),
        ]
    points, colours = zip(*faces, strict=True)
    return Prop(end, np.concatenate(points), np.cumsum([0, *map(len, points)]), np.array(colours))


def draw_prop(canvas: Canvas, prop: Prop, ambient: float) -> None:
    """Paints street furniture."""
    if canvas.camera.z + 1 < prop.z < canvas.camera.z + 80:
        canvas.mesh(prop.points, prop.spans, prop.colours * ambient)


@dataclass(frozen=True, eq=False)
class Tree:
    """A tree; coordinates are metres from the foot of the trunk.

    Attributes:
        branches: (thickness, segments [P, 2, 3]) per level.
        colour: [3] RGB of the branches.
        leaves: [L, 4] centre and radius.
        shades: [L, 3] RGB of the leaves.
    """

    branches: tuple[tuple[float, np.ndarray], ...]
    colour: np.ndarray
    leaves: np.ndarray
    shades: np.ndarray


def make_tree(rng: np.random.Generator) -> Tree:
    """Makes a random tree: a bare crown of forking branches, or a trunk with a cloud of leaves."""
    height, leafy = rng.uniform(5, 12), rng.random() < 0.4
    base: np.ndarray = np.zeros((1, 3))
    step = np.array([[rng.normal(0, 0.02), 0.26, rng.normal(0, 0.02)]]) * height
    branches = []
    for level in range(3 if leafy else 6):
        branches.append((0.03 * height * 0.6**level, np.stack([base, base + step], axis=1)))
        forks = 4 if level == 0 else 3 if level < 3 else 2
        base, step = np.repeat(base + step, forks, axis=0), np.repeat(step, forks, axis=0)
        reach = np.linalg.norm(step, axis=1, keepdims=True)
        step = step * rng.uniform(0.5, 0.85, (len(step), 1)) + rng.normal(0, 0.33, step.shape) * reach
        step[:, 1] = np.abs(step[:, 1]) * 0.8 + 0.12 * reach[:, 0]
    colour = np.array((58, 50, 44)) * rng.uniform(0.5, 1.3)
    leaves: np.ndarray = np.zeros((0, 4))
    shades: np.ndarray = np.zeros((0, 3))
    if leafy:
        count = 110
        ball = rng.normal(0, 1, (count, 3))
        ball *= (rng.uniform(0.3, 1, (count, 1)) ** 0.4) / np.linalg.norm(ball, axis=1, keepdims=True)
        centre = ball * np.array((0.34, 0.36, 0.34)) * height + np.array((0, 0.66 * height, 0))
        leaves = np.concatenate([centre, rng.uniform(0.03, 0.085, (count, 1)) * height], axis=1)
        green = np.array(((58, 74, 36), (48, 58, 40), (86, 80, 46))[rng.integers(3)]) * rng.uniform(0.5, 1.1)
        shades = green * (rng.uniform(0.6, 1.1, (count, 1)) + 0.35 * ball[:, 1:2])
    return Tree(tuple(branches), colour, leaves, shades)


def draw_tree(canvas: Canvas, tree: Tree, x: float, z: float, ambient: float) -> None:
    """Paints trunk, branches and leaves; twigs thinner than a fraction of a pixel are left out."""
    camera = canvas.camera
    distance = z - camera.z
    if not 1 < distance < 110:
        return
    foot = np.array([x, 0.0, z])
    across, _, ahead = camera.view(foot)
    if abs(across) - 7 > ahead * camera.width / (2 * camera.focal):
        return
    for thickness, segments in tree.branches:
        if SCALE * camera.focal * thickness / distance > 0.35:
            canvas.lines(segments + foot, thickness, tree.colour * ambient)
    if len(tree.leaves):
        leaves, shades = (values[:: 1 if distance < 25 else 2 if distance < 60 else 4] for values in (tree.leaves, tree.shades))
        canvas.blobs(leaves + [*foot, 0.0], [slice(i, i + 1) for i in range(len(leaves))], shades * ambient)
