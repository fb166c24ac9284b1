"""The surroundings of the synthetic scenes: sky, ground with its marks, buildings, trees and street furniture."""

from dataclasses import dataclass

import cv2
import numpy as np

from fcis_ros.data.canvas import NEAR, SCALE, Canvas

_WALLS = (
    (112, 84, 66),
    (136, 112, 84),
    (160, 146, 120),
    (178, 170, 158),
    (196, 192, 182),
    (120, 118, 116),
    (92, 70, 60),
    (146, 96, 72),
)
TREES = 40
_PANE = np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0)])
_FRONTS = (
    (30, 40, 80),
    (120, 24, 24),
    (24, 60, 44),
    (20, 20, 22),
    (190, 180, 160),
    (60, 90, 120),
    (150, 110, 40),
    (90, 30, 70),
)


@dataclass(frozen=True, eq=False)
class Building:
    """A block beside the road: ``x`` its front, ``side`` the direction away from the road."""

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
class Tree:
    """Branches by thickness, [P, 2, 3] segments in metres from the foot of the trunk, and leaves [L, 4] (centre, radius)."""

    branches: tuple[tuple[float, np.ndarray], ...]
    colour: np.ndarray
    leaves: np.ndarray
    shades: np.ndarray


@dataclass(frozen=True, eq=False)
class Prop:
    """Street furniture, no object of any class, as far as ``z``: ``points`` [V, 3], ``spans`` [F + 1] and ``colours`` [F, 3] of its faces."""

    z: float
    points: np.ndarray
    spans: np.ndarray
    colours: np.ndarray


@dataclass(frozen=True, eq=False)
class Street:
    """What does not move.

    Attributes:
        left, right: kerbs, metres from the middle of the camera's lane.
        pavement: width on both sides, metres.
        lane: x of the line between the directions.
        marks: kind of road marks.
        buildings, props: what stands there.
        trees: x, z and the number of the tree.
        colours: name to RGB of road, mark, pavement, kerb, verge, far.
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


def _grey(rng, low, high, tint=4.0):
    return np.clip(rng.uniform(low, high) + rng.normal(0, tint, 3), 0, 255)


def make_street(rng: np.random.Generator, left: float, right: float, length: float) -> Street:
    """A random street from z = -10 to ``length`` metres whose kerbs lie at x = ``left`` and ``right``."""
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
                buildings.append(
                    Building(
                        row + side * rng.uniform(0, 0.6),
                        side,
                        z,
                        z + size,
                        3.2 + floors * rng.uniform(2.6, 3.2),
                        wall,
                        front,
                        rng.uniform(0, 3.5) if rng.random() < 0.6 else 0.0,
                        floors,
                        rng.uniform(1.6, 3.2),
                        rng.random() < 0.5,
                        _grey(rng, 20, 80),
                        _make_clutter(rng, row, side, z, size),
                    )
                )
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
                props.append(_make_prop(rng, kerb + side * rng.uniform(0.3, pavement - 0.3), float(z), side))
    road = _grey(rng, 70, 125, 3)
    azimuth = np.linspace(-1.2, 1.2, 160)
    hills = np.interp(azimuth, np.linspace(-1.2, 1.2, 24), rng.uniform(0.0, 0.06, 24))
    steps = np.repeat(rng.uniform(0, 0.04, 40), 4)
    return Street(
        left,
        right,
        pavement,
        rng.uniform(1.5, 1.9) * (1 if right > -left else -1),
        int(rng.integers(0, 4)),
        bool(rng.random() < 0.25),
        tuple(buildings),
        tuple(trees),
        tuple(props),
        {
            "road": road,
            "mark": _grey(rng, 170, 225, 3),
            "pavement": road * rng.uniform(0.95, 1.4),
            "kerb": road * rng.uniform(1.05, 1.5),
            "verge": np.array((70, 92, 44)) * rng.uniform(0.7, 1.2),
            "far": np.array((86, 84, 74)) * rng.uniform(0.5, 1.1),
        },
        np.stack([azimuth, hills + steps + rng.uniform(0, 0.012, 160)], axis=1),
    )


def _make_clutter(rng, x, side, z, size) -> tuple[np.ndarray, np.ndarray]:
    """[P, 4, 3] patches on the lower front of a house and their [P, 3] colours: doors, posters, displays, pipes, plants."""
    count = int(rng.integers(4, 22))
    low, wide, tall = rng.uniform(0, 2.4, count), rng.uniform(0.1, 1.4, count), rng.uniform(0.15, 1.8, count)
    start = z + rng.uniform(0, size - 1.4, count)
    points = np.empty((count, 4, 3))
    points[..., 0] = x - side * 0.06
    points[..., 1] = low[:, None] + tall[:, None] * _PANE[:, 0]
    points[..., 2] = start[:, None] + wide[:, None] * _PANE[:, 1]
    colours = rng.uniform(10, 210, (count, 1)) + rng.normal(0, 14, (count, 3))
    return points, np.clip(colours, 5, 235)


def make_tree(rng: np.random.Generator) -> Tree:
    """A bare crown of branches that fork, or a trunk below a cloud of leaves."""
    height, leafy = rng.uniform(5, 12), rng.random() < 0.4
    base, step = np.zeros((1, 3)), np.array([[rng.normal(0, 0.02), 0.26, rng.normal(0, 0.02)]]) * height
    branches = []
    for level in range(3 if leafy else 6):
        branches.append((0.03 * height * 0.6**level, np.stack([base, base + step], axis=1)))
        forks = 4 if level == 0 else 3 if level < 3 else 2
        base, step = np.repeat(base + step, forks, axis=0), np.repeat(step, forks, axis=0)
        reach = np.linalg.norm(step, axis=1, keepdims=True)
        step = step * rng.uniform(0.5, 0.85, (len(step), 1)) + rng.normal(0, 0.33, step.shape) * reach
        step[:, 1] = np.abs(step[:, 1]) * 0.8 + 0.12 * reach[:, 0]
    leaves, shades = np.zeros((0, 4)), np.zeros((0, 3))
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


def _upright(x, z, width, low, high):
    return np.array([(x - width / 2, low, z), (x + width / 2, low, z), (x + width / 2, high, z), (x - width / 2, high, z)])


def _make_prop(rng, x, z, side) -> Prop:
    """A pole, sign, traffic light, bollard, bin, box, board, fence or wall."""
    kind = rng.integers(9)
    grey = _grey(rng, 30, 150)
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
        faces += [(_upright(x, z, 0.13, 0, tall), grey), (_upright(x - side * 0.7, z, 1.4, tall - 0.12, tall), grey)]
    elif kind == 1:
        low = rng.uniform(1.6, 2.6)
        faces.append((_upright(x, z, 0.07, 0, low), grey))
        angles = np.arange(12) * np.pi / 6
        disc = np.stack([x + 0.32 * np.cos(angles), low + 0.32 * np.sin(angles), np.full(12, z - 0.02)], axis=1)
        shape = (
            disc if rng.random() < 0.5 else _upright(x, z - 0.02, rng.uniform(0.4, 0.9), low - 0.3, low + rng.uniform(0.2, 0.6))
        )
        inner = shape.mean(axis=0) + (shape - shape.mean(axis=0)) * 0.72 - [0, 0, 0.01]
        faces += [(shape, vivid), (inner, np.array((225.0, 225, 220)) if rng.random() < 0.6 else vivid * 0.8)]
    elif kind == 2:
        faces += [(_upright(x, z, 0.12, 0, 2.3), grey * 0.5), (_upright(x, z - 0.02, 0.32, 2.2, 3.1), np.array((18.0, 18, 20)))]
        lamp = int(rng.integers(3))
        shine = np.array(((60.0, 230, 170), (235, 160, 40), (240, 40, 40))[lamp])
        faces.append((_upright(x, z - 0.04, 0.2, 2.3 + 0.28 * lamp, 2.5 + 0.28 * lamp), shine))
    elif kind in (3, 4):
        wide, tall = (0.16, rng.uniform(0.8, 1.1)) if kind == 3 else (rng.uniform(0.4, 0.7), rng.uniform(0.9, 1.7))
        body = vivid * 0.6 if rng.random() < 0.35 else grey * 0.6
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
            faces.append((np.array([(x, 0, z + i), (x, 0, z + i + 0.06), (x, 1.0, z + i + 0.06), (x, 1.0, z + i)]), grey * 0.6))
        faces.append((np.array([(x, 0.95, z), (x, 0.95, z + long), (x, 1.02, z + long), (x, 1.02, z)]), grey * 0.6))
    elif kind == 7:
        long, tall, out = rng.uniform(4, 15), rng.uniform(0.5, 2.0), x + side * 2.5
        end = z + long
        body = np.array((62.0, 74, 40)) * rng.uniform(0.5, 1.1) if rng.random() < 0.5 else _grey(rng, 60, 150, 12)
        faces += [
            (np.array([(out, 0, z), (out, 0, z + long), (out, tall, z + long), (out, tall, z)]), body),
            (np.array([(out, 0, z), (out + side, 0, z), (out + side, tall, z), (out, tall, z)]), body * 0.8),
        ]
    else:
        wide, tall = rng.uniform(1.0, 2.8), rng.uniform(2.0, 2.6)
        faces += [
            (_upright(x + side * 0.8, z, wide, 0, tall), grey * 0.5),
            (_upright(x + side * 0.8, z - 0.02, wide * 0.85, 0.4, tall - 0.3), grey),
            (_upright(x + side * 0.8, z - 0.03, wide * 0.6, 0.9, tall - 0.6), vivid * 0.8),
        ]
    points, colours = zip(*faces, strict=True)
    return Prop(end, np.concatenate(points), np.cumsum([0, *map(len, points)]), np.array(colours))


def draw_sky(canvas: Canvas, top: np.ndarray, bottom: np.ndarray, clouds: np.ndarray):
    """Fills the surface: from ``top`` to ``bottom`` at the horizon, with ``clouds`` [h, w] (-1..1) stretched over it."""
    height, width = canvas.pixels.shape[:2]
    rows = min(height, max(int(SCALE * canvas.camera.horizon) + 4, 1))
    ramp = np.linspace(0, 1, len(clouds), dtype=np.float32)[:, None, None]
    picture = np.clip((1 - ramp) * top + ramp * bottom + clouds[..., None] * 11, 0, 255).astype(np.uint8)
    owner = np.full(clouds.shape, canvas.owner, np.uint8)
    cv2.resize(np.dstack([picture, owner]), (width, rows), canvas.pixels[:rows], interpolation=cv2.INTER_LINEAR)


def draw_ground(canvas: Canvas, street: Street, light: float, scenery: int):
    """Fills the far silhouette (owner ``scenery``), pavements, road and marks (owner 0)."""
    camera = canvas.camera
    near, far = camera.z - 8, camera.z + 260
    colours = {name: colour * light for name, colour in street.colours.items()}

    def band(x0, x1, colour, y=0.0):
        canvas.face(np.array([(x0, y, near), (x1, y, near), (x1, y, far), (x0, y, far)]), colour)

    outline = np.concatenate([street.skyline, [(1.2, -0.02), (-1.2, -0.02)]])
    pixels = np.stack(
        [
            SCALE * (camera.width / 2 + camera.focal * (outline[:, 0] - camera.yaw)),
            SCALE * (camera.horizon - camera.focal * outline[:, 1]),
        ],
        axis=1,
    )
    canvas.owner = scenery
    canvas.fill([pixels], colours["far"])
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
            canvas.faces(
                corners[None] + np.stack([stripes, 0 * stripes, np.full_like(stripes, z)], axis=1)[:, None], colours["mark"]
            )


def draw_building(canvas: Canvas, house: Building, sun: np.ndarray, ambient: float):
    """Paints the front, the end wall towards the camera, the roof, windows and shop front of a building."""
    camera = canvas.camera
    if house.far < camera.z + 1 or house.near > camera.z + 140:
        return
    near = max(house.near, camera.z + NEAR)
    light = ambient + max(0.0, -house.side * sun[0])
    end_light = ambient + max(0.0, -sun[2])
    x, side, top = house.x, house.side, house.height
    deep = x + side * 12
    canvas.face(
        np.array([(x, 0, house.near), (deep, 0, house.near), (deep, top, house.near), (x, top, house.near)]),
        house.wall * end_light * 0.85,
    )
    if house.roof:
        canvas.face(
            np.array([(x, top, house.near), (deep, top, house.near), (x + side * 6, top + house.roof, house.near)]),
            house.wall * end_light * 0.8,
        )
        canvas.face(
            np.array(
                [
                    (x - side * 0.3, top, near),
                    (x - side * 0.3, top, house.far),
                    (x + side * 6, top + house.roof, house.far),
                    (x + side * 6, top + house.roof, near),
                ]
            ),
            np.array((70, 66, 66)) * light,
        )
    canvas.face(np.array([(x, 0, near), (x, 0, house.far), (x, top, house.far), (x, top, near)]), house.wall * light)
    if near > camera.z + 30 and camera.focal * abs(x - camera.x) * (1 / (near - camera.z) - 1 / (house.far - camera.z)) < 4:
        return
    columns = np.arange(house.near + 0.6, house.far - 1.2, house.bay)
    columns = columns[columns > camera.z + NEAR]
    if not len(columns):
        return
    storey = (top - 3.2) / house.floors
    sills = 3.2 + storey * np.arange(house.floors) + 0.25 * storey
    z, y = (grid.ravel() for grid in np.meshgrid(columns, sills))

    def panes(z, y, wide, tall):
        corners = np.empty((len(z), 4, 3))
        corners[..., 0] = x - side * 0.02
        corners[..., 1] = y[:, None] + tall * _PANE[:, 0]
        corners[..., 2] = z[:, None] + wide * _PANE[:, 1]
        return corners

    fine = house.near < camera.z + 45
    if len(z):
        wide = house.bay * 0.5
        if fine:
            canvas.faces(panes(z - 0.08, y - 0.08, wide + 0.16, storey * 0.55 + 0.16), house.wall * light * 1.25)
        canvas.faces(panes(z, y, wide, storey * 0.55), house.glass * (0.5 + 0.5 * light))
        if fine:
            canvas.faces(panes(z, y + storey * 0.26, wide, 0.07), house.wall * light * 1.2)
    if house.shop:
        canvas.face(
            np.array(
                [
                    (x - side * 0.05, 2.5, near),
                    (x - side * 0.05, 2.5, house.far),
                    (x - side * 0.05, 3.1, house.far),
                    (x - side * 0.05, 3.1, near),
                ]
            ),
            house.front * light,
        )
        canvas.faces(panes(columns, np.full_like(columns, 0.5), house.bay * 0.85, 1.9), house.glass * light * 0.8)
        canvas.faces(panes(columns + 0.3, np.full_like(columns, 0.7), house.bay * 0.3, 0.9), house.front * light * 0.6 + 40)
    else:
        canvas.faces(panes(columns, np.full_like(columns, 1.0), house.bay * 0.5, 1.4), house.glass * light)
    points, colours = house.clutter
    if fine:
        canvas.mesh(points.reshape(-1, 3), np.arange(0, 4 * len(points) + 1, 4), colours * light)


def draw_tree(canvas: Canvas, tree: Tree, x: float, z: float, ambient: float):
    """Paints trunk, branches and leaves; twigs thinner than a fraction of a pixel are left out."""
    camera = canvas.camera
    distance = z - camera.z
    if not 1 < distance < 110:
        return
    foot = np.array([x, 0.0, z])
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


def draw_prop(canvas: Canvas, prop: Prop, ambient: float):
    """Paints street furniture."""
    if canvas.camera.z + 1 < prop.z < canvas.camera.z + 80:
        canvas.mesh(prop.points, prop.spans, prop.colours * ambient)
