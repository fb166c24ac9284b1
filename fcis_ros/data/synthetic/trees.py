# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Trees of the synthetic scenes."""

from dataclasses import dataclass

import numpy as np

from fcis_ros.data.synthetic.canvas import SCALE, Canvas

TREES = 40  # number of different trees


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
    leaves: np.ndarray = np.zeros((0, 4))
    shades: np.ndarray = np.zeros((0, 3))
    colour = np.array((58, 50, 44)) * rng.uniform(0.5, 1.3)
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
        step = 1 if distance < 25 else 2 if distance < 60 else 4
        canvas.blobs(
            tree.leaves[::step] + [*foot, 0.0],
            [slice(i, i + 1) for i in range(len(tree.leaves[::step]))],
            tree.shades[::step] * ambient,
        )
