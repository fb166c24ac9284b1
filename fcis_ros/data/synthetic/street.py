# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The surroundings of the synthetic scenes: sky, ground with its marks, and buildings."""

from dataclasses import dataclass

import cv2
import numpy as np

from fcis_ros.data.synthetic.canvas import NEAR, SCALE, Canvas, Colour
from fcis_ros.data.synthetic.furniture import TREES, Prop, grey, make_prop, upright_along

_WALLS = (
    (112, 84, 66), (136, 112, 84), (160, 146, 120), (178, 170, 158), (196, 192, 182), (120, 118, 116), (92, 70, 60),
    (146, 96, 72),
)  # fmt: skip
_SLATE = np.array((70.0, 66.0, 66.0))
_PANE = np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0)])
_FRONTS = (
    (30, 40, 80), (120, 24, 24), (24, 60, 44), (20, 20, 22), (190, 180, 160), (60, 90, 120), (150, 110, 40), (90, 30, 70),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Building:
    """A block along the road; ``x`` is the position of its front, ``side`` the direction away from the road."""

    x: float
    side: int
    near: float
    far: float
    height: float
    wall: np.ndarray
    front: np.ndarray
    roof: float
    floors: int
    bay: float
    shop: bool
    glass: np.ndarray
    clutter: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Street:
    """Everything that does not move.

    Attributes:
        left, right: positions of the kerbs, metres from the middle of the camera's lane.
        pavement: width of the pavement on both sides, metres.
        lane: position x of the line between the directions, metres.
        marks: kind of road marks, 0 to 3.
        verge: whether the ground beyond the pavements is green.
        buildings, props: buildings and street furniture.
        trees: (x, z, number) of each tree.
        colours: {name: RGB} of road, mark, pavement, kerb, verge, far.
        skyline: [N, 2] azimuth (radians) and elevation of the far silhouette.
    """

    left: float
    right: float
    pavement: float
    lane: float
    marks: int
    verge: bool
    buildings: tuple[Building, ...]
    trees: tuple[tuple[float, float, int], ...]
    props: tuple[Prop, ...]
    colours: dict[str, np.ndarray]
    skyline: np.ndarray


def make_street(rng: np.random.Generator, left: float, right: float, length: float) -> Street:
    """Makes a random street from z = -10 to ``length`` metres whose kerbs lie at x = ``left`` and ``right``."""
    pavement = rng.uniform(1.8, 4.5)
    density = rng.choice((0.25, 0.7, 0.97), p=(0.25, 0.3, 0.45))
    buildings = []
    for side, kerb in ((-1, left), (1, right)):
        z, row = -10.0 - rng.uniform(0, 10), kerb + side * (pavement + rng.uniform(0, 1.0 if density > 0.9 else 8.0))
        while z < length + 40:
            size = rng.uniform(6, 20)
            if rng.random() < density:
                wall = np.array(_WALLS[rng.integers(len(_WALLS))], float)
                wall = np.clip((0.6 * wall + 0.4 * wall.mean()) * rng.uniform(0.6, 1.1) + rng.normal(0, 4, 3), 10, 235)
                front = np.clip(np.array(_FRONTS[rng.integers(len(_FRONTS))]) * rng.uniform(0.6, 1.2), 5, 235)
                floors = int(rng.integers(1, 5))
                x, height = row + side * rng.uniform(0, 0.6), 3.2 + floors * rng.uniform(2.6, 3.2)
                roof, bay = rng.uniform(0, 3.5) if rng.random() < 0.6 else 0.0, rng.uniform(1.6, 3.2)
                shop, glass, clutter = rng.random() < 0.5, grey(rng, 20, 80), _make_clutter(rng, row, side, z, size)
                building = Building(x, side, z, z + size, height, wall, front, roof, floors, bay, shop, glass, clutter)
                buildings.append(building)
            z += size + (rng.uniform(0, 1) if density > 0.9 else rng.uniform(0, 8))
    trees = []
    for side, kerb in ((-1, left), (1, right)):
        if rng.random() < 0.55:
            row = kerb + side * rng.uniform(0.5, pavement + 4)
            trees += [
                (row + rng.normal(0, 0.4), float(z), int(rng.integers(TREES)))
                for z in np.cumsum(rng.uniform(9, 30, int(length / 12)))
                if z < length + 30
            ]
    props = []
    for side, kerb in ((-1, left), (1, right)):
        for z in np.cumsum(rng.uniform(2, 18, int(length / 6))):
            if z < length + 20:
                props.append(make_prop(rng, kerb + side * rng.uniform(0.3, pavement - 0.3), float(z), side))
    road = grey(rng, 70, 125, 3)
    azimuth = np.linspace(-1.2, 1.2, 160)
    hills = np.interp(azimuth, np.linspace(-1.2, 1.2, 24), rng.uniform(0.0, 0.06, 24))
    steps = np.repeat(rng.uniform(0, 0.04, 40), 4)
    lane = rng.uniform(1.5, 1.9) * (1 if right > -left else -1)
    marks, verge = int(rng.integers(0, 4)), bool(rng.random() < 0.25)
    colours = {
        "road": road,
        "mark": grey(rng, 170, 225, 3),
        "pavement": road * rng.uniform(0.95, 1.4),
        "kerb": road * rng.uniform(1.05, 1.5),
        "verge": np.array((70, 92, 44)) * rng.uniform(0.7, 1.2),
        "far": np.array((86, 84, 74)) * rng.uniform(0.5, 1.1),
    }
    skyline = np.stack([azimuth, hills + steps + rng.uniform(0, 0.012, 160)], axis=1)
    still = tuple(buildings), tuple(trees), tuple(props)
    return Street(left, right, pavement, lane, marks, verge, *still, colours, skyline)


def _make_clutter(rng: np.random.Generator, x: float, side: int, z: float, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Makes patches [P, 4, 3] on the lower front of a house with colours [P, 3]: doors, posters, displays, pipes, plants."""
    count = int(rng.integers(4, 22))
    low, wide, tall = rng.uniform(0, 2.4, count), rng.uniform(0.1, 1.4, count), rng.uniform(0.15, 1.8, count)
    start = z + rng.uniform(0, size - 1.4, count)
    colours = rng.uniform(10, 210, (count, 1)) + rng.normal(0, 14, (count, 3))
    return _panes(x - side * 0.06, start, low, wide[:, None], tall[:, None]), np.clip(colours, 5, 235)


def _panes(x: float, z: np.ndarray, y: np.ndarray, wide: np.ndarray | float, tall: np.ndarray | float) -> np.ndarray:
    """Returns upright rectangles [P, 4, 3] along the road, whose lower near corners are at ``z`` [P] and ``y`` [P]."""
    corners = np.empty((len(z), 4, 3))
    corners[..., 0] = x
    corners[..., 1] = y[:, None] + tall * _PANE[:, 0]
    corners[..., 2] = z[:, None] + wide * _PANE[:, 1]
    return corners


def draw_sky(canvas: Canvas, top: np.ndarray, bottom: np.ndarray, clouds: np.ndarray) -> None:
    """Fills the sky from ``top`` to ``bottom`` at the horizon, with ``clouds`` [h, w] (-1..1) stretched over it."""
    height, width = canvas.pixels.shape[:2]
    rows = min(height, max(int(SCALE * canvas.camera.horizon) + 4, 1))
    ramp = np.linspace(0, 1, len(clouds), dtype=np.float32)[:, None, None]
    picture = np.clip((1 - ramp) * top + ramp * bottom + clouds[..., None] * 11, 0, 255).astype(np.uint8)
    owner = np.full(clouds.shape, canvas.owner, np.uint8)
    cv2.resize(np.dstack([picture, owner]), (width, rows), canvas.pixels[:rows], interpolation=cv2.INTER_LINEAR)


def draw_ground(canvas: Canvas, street: Street, light: float, scenery: int) -> None:
    """Fills the far silhouette (object number ``scenery``), pavements, road and marks (object number 0)."""
    camera = canvas.camera
    near, far = camera.z - 8, camera.z + 260
    colours = {name: colour * light for name, colour in street.colours.items()}

    def band(x0: float, x1: float, colour: Colour) -> None:
        canvas.face(np.array([(x0, 0, near), (x1, 0, near), (x1, 0, far), (x0, 0, far)]), colour)

    outline = np.concatenate([street.skyline, [(1.2, -0.02), (-1.2, -0.02)]])
    column = camera.width / 2 + camera.focal * (outline[:, 0] - camera.yaw)
    pixels = SCALE * np.stack([column, camera.horizon - camera.focal * outline[:, 1]], axis=1)
    canvas.owner = scenery
    canvas.fill(pixels, colours["far"])
    canvas.owner = 0
    band(-150, 150, colours["verge"] if street.verge else colours["pavement"] * 0.95)
    for side, kerb in ((-1, street.left), (1, street.right)):
        band(kerb, kerb + side * street.pavement, colours["pavement"])
    band(street.left, street.right, colours["road"])
    for side, kerb in ((-1, street.left), (1, street.right)):
        band(kerb, kerb + side * 0.14, colours["kerb"])
        band(kerb - side * 0.02, kerb + side * 0.01, colours["kerb"] * 0.6)
        if street.marks & 1:
            band(kerb - side * 0.25, kerb - side * 0.35, np.array((170, 150, 70)) * light)
    starts = np.arange(6.0 * np.floor(near / 6), camera.z + 90, 6.0)
    long, half = (2.0, 0.06) if street.marks != 2 else (4.0, 0.05)
    corners = np.array([(-half, 0, 0), (half, 0, 0), (half, 0, long), (-half, 0, long)])
    dashes = corners[None] + np.stack([np.full_like(starts, street.lane), 0 * starts, starts], axis=1)[:, None]
    canvas.faces(dashes, colours["mark"])
    if street.marks == 3:
        stripes = np.arange(street.left + 0.4, street.right - 0.8, 1.1)
        corners = np.array([(0, 0, 0), (0.55, 0, 0), (0.55, 0, 2.6), (0, 0, 2.6)])
        for z in (24.0, 90.0):
            origins = np.stack([stripes, 0 * stripes, np.full_like(stripes, z)], axis=1)
            canvas.faces(corners[None] + origins[:, None], colours["mark"])


def draw_building(canvas: Canvas, house: Building, sun: np.ndarray, ambient: float) -> None:
    """Paints the front, the end wall towards the camera, the roof, windows and shop front of a building."""
    camera = canvas.camera
    if house.far < camera.z + 1 or house.near > camera.z + 140:
        return
    end, near = house.near, max(house.near, camera.z + NEAR)
    light = ambient + max(0.0, -house.side * sun[0])
    end_light = ambient + max(0.0, -sun[2])
    x, side, top, ridge = house.x, house.side, house.height, house.height + house.roof
    front = camera.view(np.array([(x, 0, near), (x, 0, house.far)]))
    shown = np.abs(front[:, 0]) < front[:, 2] * camera.width / (2 * camera.focal)
    deep, middle, eave = x + side * 12, x + side * 6, x - side * 0.3
    walls = [
        ([(x, 0, end), (deep, 0, end), (deep, top, end), (x, top, end)], house.wall * end_light * 0.85),
        ([(x, top, end), (deep, top, end), (middle, ridge, end)], house.wall * end_light * 0.8),
        ([(eave, top, near), (eave, top, house.far), (middle, ridge, house.far), (middle, ridge, near)], _SLATE * light),
        (upright_along(x, near, house.far, 0, top), house.wall * light),
    ]
    if house.shop:
        walls.append((upright_along(x, near, house.far, 2.5, 3.1), house.front * light))
    points, colours = zip(*walls, strict=True)
    canvas.mesh(np.concatenate(points), np.cumsum([0, *map(len, points)]), np.array(colours))
    # Fronts outside the frame, or so oblique that they are a few pixels wide, need no windows.
    spread = camera.focal * abs(x - camera.x) * (1 / (near - camera.z) - 1 / (house.far - camera.z))
    if not shown.any() or (near > camera.z + 30 and spread < 5):
        return
    columns: np.ndarray = np.arange(house.near + 0.6, house.far - 1.2, house.bay)
    columns = columns[columns > camera.z + NEAR]
    if not len(columns):
        return
    storey = (top - 3.2) / house.floors
    sills = 3.2 + storey * np.arange(house.floors) + 0.25 * storey
    z, y = (grid.ravel() for grid in np.meshgrid(columns, sills))
    glazed = x - side * 0.02
    fine = house.near < camera.z + 45
    wide = house.bay * 0.5
    if fine:
        canvas.faces(_panes(glazed, z - 0.08, y - 0.08, wide + 0.16, storey * 0.55 + 0.16), house.wall * light * 1.25)
    canvas.faces(_panes(glazed, z, y, wide, storey * 0.55), house.glass * (0.5 + 0.5 * light))
    if fine:
        canvas.faces(_panes(glazed, z, y + storey * 0.26, wide, 0.07), house.wall * light * 1.2)
    if house.shop:
        canvas.faces(_panes(glazed, columns, np.full_like(columns, 0.5), house.bay * 0.85, 1.9), house.glass * light * 0.8)
        canvas.faces(
            _panes(glazed, columns + 0.3, np.full_like(columns, 0.7), house.bay * 0.3, 0.9), house.front * light * 0.6 + 40
        )
    else:
        canvas.faces(_panes(glazed, columns, np.full_like(columns, 1.0), house.bay * 0.5, 1.4), house.glass * light)
    patches, paints = house.clutter
    if fine:
        canvas.mesh(patches.reshape(-1, 3), np.arange(0, 4 * len(patches) + 1, 4), paints * light)
