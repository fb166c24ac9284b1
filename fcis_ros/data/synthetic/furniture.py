# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Street furniture of the synthetic scenes, which a network must learn to tell from cars and people."""

from dataclasses import dataclass

import numpy as np

from fcis_ros.data.synthetic.canvas import Canvas


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


def _upright(x: float, z: float, width: float, low: float, high: float) -> np.ndarray:
    return np.array([(x - width / 2, low, z), (x + width / 2, low, z), (x + width / 2, high, z), (x - width / 2, high, z)])


def make_prop(rng: np.random.Generator, x: float, z: float, side: int) -> Prop:
    """Makes a random pole, sign, traffic light, bollard, bin, box, board, fence or wall."""
    kind = rng.integers(9)
    plain = grey(rng, 30, 150)
    end = z
    vivid = np.clip(
        np.array(((200, 30, 30), (30, 60, 170), (235, 235, 230), (220, 190, 40), (30, 110, 60))[rng.integers(5)])
        * rng.uniform(0.6, 1),
        0,
        255,
    )
    faces = []
    if kind == 0:
        tall = rng.uniform(5, 9)
        faces += [(_upright(x, z, 0.13, 0, tall), plain), (_upright(x - side * 0.7, z, 1.4, tall - 0.12, tall), plain)]
    elif kind == 1:
        low = rng.uniform(1.6, 2.6)
        faces.append((_upright(x, z, 0.07, 0, low), plain))
        angles = np.arange(12) * np.pi / 6
        disc = np.stack([x + 0.32 * np.cos(angles), low + 0.32 * np.sin(angles), np.full(12, z - 0.02)], axis=1)
        shape = (
            disc if rng.random() < 0.5 else _upright(x, z - 0.02, rng.uniform(0.4, 0.9), low - 0.3, low + rng.uniform(0.2, 0.6))
        )
        inner = shape.mean(axis=0) + (shape - shape.mean(axis=0)) * 0.72 - [0, 0, 0.01]
        faces += [(shape, vivid), (inner, np.array((225.0, 225, 220)) if rng.random() < 0.6 else vivid * 0.8)]
    elif kind == 2:
        faces += [
            (_upright(x, z, 0.12, 0, 2.3), plain * 0.5),
            (_upright(x, z - 0.02, 0.32, 2.2, 3.1), np.array((18.0, 18, 20))),
        ]
        lamp = int(rng.integers(3))
        shine = np.array(((60.0, 230, 170), (235, 160, 40), (240, 40, 40))[lamp])
        faces.append((_upright(x, z - 0.04, 0.2, 2.3 + 0.28 * lamp, 2.5 + 0.28 * lamp), shine))
    elif kind in (3, 4):
        wide, tall = (0.16, rng.uniform(0.8, 1.1)) if kind == 3 else (rng.uniform(0.4, 0.7), rng.uniform(0.9, 1.7))
        body = vivid * 0.6 if rng.random() < 0.35 else plain * 0.6
        faces += [
            (_upright(x, z, wide, 0, tall), body),
            (_upright(x, z - 0.01, wide * 1.1, tall * 0.82, tall * 0.9), body * 1.5),
        ]
        faces.append((_upright(x + 0.3 * wide, z - 0.01, 0.4 * wide, 0, tall * 0.8), body * 0.75))
    elif kind == 5:
        faces += [
            (_upright(x, z, 0.6, 0.1, 1.1), vivid),
            (_upright(x, z - 0.01, 0.48, 0.2, 1.0), np.array((210.0, 208, 200)) * rng.uniform(0.3, 1)),
            (_upright(x, z - 0.02, 0.4, 0.6, 0.75), vivid * 0.5),
        ]
    elif kind == 6:
        long = rng.uniform(4, 12)
        end = z + long
        for i in np.arange(0, long, 0.5):
            faces.append(
                (np.array([(x, 0, z + i), (x, 0, z + i + 0.06), (x, 1.0, z + i + 0.06), (x, 1.0, z + i)]), plain * 0.6)
            )
        faces.append((np.array([(x, 0.95, z), (x, 0.95, z + long), (x, 1.02, z + long), (x, 1.02, z)]), plain * 0.6))
    elif kind == 7:
        long, tall, out = rng.uniform(4, 15), rng.uniform(0.5, 2.0), x + side * 2.5
        end = z + long
        body = np.array((62.0, 74, 40)) * rng.uniform(0.5, 1.1) if rng.random() < 0.5 else grey(rng, 60, 150, 12)
        faces += [
            (np.array([(out, 0, z), (out, 0, z + long), (out, tall, z + long), (out, tall, z)]), body),
            (np.array([(out, 0, z), (out + side, 0, z), (out + side, tall, z), (out, tall, z)]), body * 0.8),
        ]
    else:
        wide, tall = rng.uniform(1.0, 2.8), rng.uniform(2.0, 2.6)
        faces += [
            (_upright(x + side * 0.8, z, wide, 0, tall), plain * 0.5),
            (_upright(x + side * 0.8, z - 0.02, wide * 0.85, 0.4, tall - 0.3), plain),
            (_upright(x + side * 0.8, z - 0.03, wide * 0.6, 0.9, tall - 0.6), vivid * 0.8),
        ]
    points, colours = zip(*faces, strict=True)
    return Prop(end, np.concatenate(points), np.cumsum([0, *map(len, points)]), np.array(colours))


def draw_prop(canvas: Canvas, prop: Prop, ambient: float) -> None:
    """Paints street furniture."""
    if canvas.camera.z + 1 < prop.z < canvas.camera.z + 80:
        canvas.mesh(prop.points, prop.spans, prop.colours * ambient)
