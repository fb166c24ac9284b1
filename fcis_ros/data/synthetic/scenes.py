# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Synthetic driving scenes: seeded dash-cam frames with exact masks, rendered fast enough for training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from fcis_ros.data.synthetic.canvas import NEAR, SCALE, Canvas, PinholeCamera, clip_near
from fcis_ros.data.synthetic.furniture import TREES, Prop, Tree, draw_prop, draw_tree, make_tree
from fcis_ros.data.synthetic.people import draw_bicyclist, draw_pedestrian
from fcis_ros.data.synthetic.street import Street, draw_building, draw_ground, draw_sky, make_street
from fcis_ros.data.synthetic.traffic import FAR, PEDESTRIAN, Actor, make_traffic
from fcis_ros.data.synthetic.vehicles import Vehicle, shadow_below
from fcis_ros.image_decoding import decode
from fcis_ros.structures import Sample

CLASS_NAMES = ("car", "pedestrian", "bicyclist")
MIN_PIXELS = 30
_SKY, _SCENERY = 255, 254  # object numbers of pixels that belong to no object; 0 is the ground
_SPARE = 256
_GRAIN = 32.0


# Built on first use; the tree of a number depends on the seed alone.
@lru_cache(2 * TREES)
def _tree(seed: int, number: int) -> Tree:
    return make_tree(np.random.default_rng([seed, 1 << 22, number]))


@dataclass(frozen=True, eq=False)
class Weather:
    """Light and camera.

    Attributes:
        sun: [3] direction to the sun times its strength.
        ambient: strength of the light from all other directions.
        sky_top, sky_bottom: colours of the sky, RGB 0..255.
        tint: white balance, [3] RGB factors.
        gain, gamma: exposure.
        blur: standard deviation in pixels; negative sharpens.
        noise: standard deviation in grey levels.
        quality: JPEG quality; above 95 the image is not encoded.
        road_grain: relative standard deviation of the road's texture.
        clouds: row and column at which the frame is cut out of the tiles of clouds and textures.
    """

    sun: np.ndarray
    ambient: float
    sky_top: np.ndarray
    sky_bottom: np.ndarray
    tint: np.ndarray
    gain: float
    gamma: float
    blur: float
    noise: float
    quality: int
    road_grain: float
    clouds: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Scene:
    """One street with its traffic, weather and the camera driving through it."""

    street: Street
    actors: tuple[Actor, ...]
    weather: Weather
    camera: PinholeCamera
    speed: float
    sway: float


class SyntheticScenes:
    """Rendered frames of a car's camera in random streets.

    The same (seed, index) gives the same pixels, regardless of earlier calls. Labels are 1 car (vans, lorries and buses
    included), 2 pedestrian, 3 bicyclist (rider and bicycle as one). Masks are the visible pixels, so they are disjoint. An
    object with fewer than ``MIN_PIXELS`` visible pixels has no mask.

    Args:
        seed: seed of all random numbers.
        height: image height in pixels.
        width: image width in pixels.
    """

    def __init__(self, seed: int, height: int = 360, width: int = 480):
        self.seed, self.height, self.width = seed, height, width
        rng = np.random.default_rng([seed, 1 << 20])
        # One tile of each kind of noise, larger than the frame: frames are cut out at random offsets, which is cheap.
        tall, wide = height + _SPARE, width + _SPARE
        self._grain = _centred(rng.standard_normal((tall, wide, 3), np.float32), _GRAIN)
        self._texture = _centred(_octaves(rng, tall, wide, (8, 32, 128, 512, 512)), 6)
        self._rough = _centred(_octaves(rng, tall, wide, (8, 64, 300, 1024)), 16)
        self._soil = _centred(_octaves(rng, 512, 512, (4, 16, 128, 512, 512, 512)), 32)
        self._clouds = _octaves(rng, 256, 256, (4, 16, 64))

    def sample(self, index: int) -> Sample:
        """Renders an independent random frame."""
        rng = np.random.default_rng([self.seed, index, 0])
        scene = self._scene(rng, 0.0)
        return self._render(scene, 0.0, rng, f"synthetic_{self.seed}_{index:06d}.png")

    def clip(self, index: int, frames: int, rate: float = 30.0) -> Iterator[Sample]:
        """Renders a moving scene, in which the camera and all road users keep their speeds.

        Args:
            index: number of the scene.
            frames: number of frames.
            rate: frame rate in Hz.

        Yields:
            The frames in order.
        """
        rng = np.random.default_rng([self.seed, index, 1])
        scene = self._scene(rng, frames / rate)
        for frame in range(frames):
            noise = np.random.default_rng([self.seed, index, 2, frame])
            yield self._render(scene, frame / rate, noise, f"clip_{self.seed}_{index:03d}_{frame:05d}.png")

    def _scene(self, rng: np.random.Generator, seconds: float) -> Scene:
        speed = rng.uniform(4, 9) if seconds else 0.0
        side = 1 if rng.random() < 0.7 else -1
        near_parking, far_parking = (rng.choice((0.0, 2.3, 5.2), p=(0.35, 0.55, 0.10)) for _ in range(2))
        near, far = rng.uniform(1.8, 2.8) + near_parking, rng.uniform(4.8, 7.5) + far_parking
        length = FAR + speed * seconds
        street = make_street(rng, -near if side > 0 else -far, far if side > 0 else near, length)
        parking = near_parking, far_parking
        actors = make_traffic(rng, self.seed, side, (near, far), parking, street.pavement, length, speed, seconds)
        y, yaw, focal = rng.uniform(1.15, 1.5), rng.normal(0, 0.07), rng.uniform(0.85, 1.25) * self.width
        camera = PinholeCamera(0.0, y, 0.0, yaw, focal, self.height * rng.uniform(0.42, 0.56), self.height, self.width)
        return Scene(street, tuple(actors), _weather(rng), camera, speed, rng.uniform(0, 0.02))

    def _render(self, scene: Scene, seconds: float, rng: np.random.Generator, name: str) -> Sample:
        camera = replace(
            scene.camera,
            z=scene.speed * seconds,
            yaw=scene.camera.yaw + scene.sway * np.sin(0.9 * seconds),
            horizon=scene.camera.horizon + 40 * scene.sway * np.sin(5.1 * seconds),
        )
        actors = [actor.after(seconds) for actor in scene.actors]
        image, owner = self._draw(scene, camera, actors).finish()
        image = self._develop(image, owner, self._ground(camera, actors, scene), scene.weather, rng)
        count = np.bincount(owner.ravel(), minlength=256)
        ids = 1 + np.flatnonzero(count[1 : len(actors) + 1] >= MIN_PIXELS)
        labels = np.array([actors[number - 1].label for number in ids], np.int64)
        return Sample(image, owner == ids.astype(np.uint8)[:, None, None], labels, np.zeros(len(ids), bool), name, ids)

    def _draw(self, scene: Scene, camera: PinholeCamera, actors: list[Actor]) -> Canvas:
        """Draws everything from far to near; actor i has the object number i + 1."""
        weather, street = scene.weather, scene.street
        canvas = Canvas(camera)
        canvas.owner = _SKY
        top, left = weather.clouds
        draw_sky(canvas, weather.sky_top, weather.sky_bottom, self._clouds[top : top + 60, left : left + 120])
        light = weather.ambient + max(0.0, float(weather.sun[1]))
        draw_ground(canvas, street, light, _SCENERY)
        canvas.owner = _SCENERY
        for house in sorted(street.buildings, key=lambda house: -house.near):
            draw_building(canvas, house, weather.sun, weather.ambient)
        depths = [float(camera.view(np.array([actor.x, 0.0, actor.z]))[2]) for actor in actors]
        things: list[tuple[float, int | tuple[float, float, int] | Prop]] = list(zip(depths, range(len(actors)), strict=True))
        things += [(tree[1] - camera.z, tree) for tree in street.trees]
        things += [(prop.z - camera.z, prop) for prop in street.props]
        haze = weather.ambient + 0.5 * float(np.linalg.norm(weather.sun))
        for depth, thing in sorted(things, key=lambda pair: -pair[0]):
            canvas.owner = _SCENERY
            if isinstance(thing, int):
                canvas.owner = thing + 1
                _draw_actor(canvas, actors[thing], depth, weather)
            elif isinstance(thing, tuple):
                x, z, number = thing
                draw_tree(canvas, _tree(self.seed, number), x, z, haze)
            else:
                draw_prop(canvas, thing, haze)
        return canvas

    def _develop(
        self, image: np.ndarray, owner: np.ndarray, ground: np.ndarray, weather: Weather, rng: np.random.Generator
    ) -> np.ndarray:
        """Applies ground texture and shadows, then the effects of lens, sensor and codec."""
        first = self.height - len(ground)
        # A little texture on everything, so that no surface is flat; 128 stands for 1 in the factors.
        factor = self._window(self._texture, weather.clouds).copy()
        cv2.copyTo(self._window(self._rough, weather.clouds), (owner == _SCENERY).view(np.uint8), factor)
        cv2.copyTo(cv2.multiply(factor[first:], ground, scale=1 / 128), (owner[first:] == 0).view(np.uint8), factor[first:])
        picture = cv2.multiply(image, cv2.merge([factor] * 3), scale=1 / 128)
        if weather.blur > 0.25:
            picture = cv2.GaussianBlur(picture, (0, 0), weather.blur)
        elif weather.blur < 0:
            picture = cv2.addWeighted(picture, 1 - weather.blur, cv2.GaussianBlur(picture, (0, 0), 0.8), weather.blur, 0)
        curve = (np.minimum(np.arange(256) / 255 * weather.gain, 1) ** weather.gamma * 255)[:, None] * weather.tint
        picture = cv2.LUT(picture, np.clip(curve, 0, 255).astype(np.uint8)[:, None, :])
        strength = weather.noise / _GRAIN
        picture = cv2.addWeighted(picture, 1, self._window(self._grain, rng.integers(0, _SPARE, 2)), strength, -128 * strength)
        if weather.quality < 96:
            jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, weather.quality])[1]
            picture = decode(jpeg, "rgb8")  # the encoder was given RGB, as BGR
        return picture

    def _window(self, tile: np.ndarray, corner: Sequence[int] | np.ndarray) -> np.ndarray:
        """[H, W, ...] of a noise tile."""
        y, x = corner
        return tile[y : y + self.height, x : x + self.width]

    def _ground(self, camera: PinholeCamera, actors: list[Actor], scene: Scene) -> np.ndarray:
        """Returns the factors [h, W] uint8 (128 is 1) for grain and shadows of the rows below the horizon."""
        weather = scene.weather
        first = min(max(int(camera.horizon) + 1, 0), self.height - 1)
        shift = np.array([[1, 0, 0], [0, 1, -first], [0, 0, 1.0]])
        x, z = -256 / 24 + (-camera.x % (512 / 24)), -camera.z % (512 / 24) - 512 / 24
        to_image = shift @ camera.ground_homography() @ np.array([[1 / 24, 0, x], [0, 1 / 24, z], [0, 0, 1.0]])
        size = (self.width, self.height - first)
        grain = cv2.warpPerspective(self._soil, to_image, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        shade = np.full(size[::-1], 255, np.uint8)
        strength = float(np.linalg.norm(weather.sun))
        sunny = strength > 0.2
        dark = int(255 * weather.ambient / (weather.ambient + strength * 0.8))
        cast, below = [], []
        for house in scene.street.buildings:
            if sunny and house.side * weather.sun[0] > 0 and camera.z < house.far < camera.z + 90:
                end = house.x + house.height * -weather.sun[0] / weather.sun[1]
                corners = [(house.x, 0, house.near), (house.x, 0, house.far), (end, 0, house.far), (end, 0, house.near)]
                cast.append(np.array(corners))
        for actor in actors:
            if not -2 < actor.z - camera.z < 60:
                continue
            if isinstance(actor.body, Vehicle):
                base, *shadows = shadow_below(actor.body, actor.x, actor.z, actor.yaw, weather.sun)
                below.append(base)
                cast += shadows if sunny else []
            else:
                foot = np.array([actor.x, 0, actor.z])
                below.append(np.array([(-0.28, 0, -0.22), (0.28, 0, -0.22), (0.28, 0, 0.22), (-0.28, 0, 0.22)]) + foot)
                if sunny:
                    away = np.array([-weather.sun[0], 0, -weather.sun[2]]) / max(weather.sun[1], 0.15) * 1.6
                    across = np.array([away[2], 0, -away[0]]) / (np.linalg.norm(away) + 1e-6) * 0.22
                    cast.append(np.array([foot + across, foot - across, foot - across + away, foot + across + away]))
        for polygons, value in ((cast, dark), (below, int(0.32 * dark))):
            for polygon in polygons:
                viewed = clip_near(camera.view(polygon))
                if len(viewed) > 2:
                    pixels = np.rint((camera.project(viewed) / SCALE - [0, first]) * 8).astype(np.int32)
                    cv2.fillConvexPoly(shade, cv2.convexHull(pixels), value, cv2.LINE_AA, 3)
        shade = cv2.GaussianBlur(shade, (0, 0), 1.2)
        coarse = 4 * weather.road_grain
        grain = cv2.convertScaleAbs(grain, alpha=coarse, beta=128 * (1 - coarse))
        return cv2.multiply(shade, grain, scale=1 / 255)


def _octaves(rng: np.random.Generator, height: int, width: int, sizes: tuple[int, ...]) -> np.ndarray:
    """Returns float32 noise [height, width] of unit variance: a sum of grids of ``sizes`` cells, coarse to fine."""
    total: np.ndarray = np.zeros((height, width), np.float32)
    for size in sizes:
        total += cv2.resize(rng.standard_normal((size, size), np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return total / total.std()


def _centred(noise: np.ndarray, deviation: float) -> np.ndarray:
    """Returns the noise as uint8 around 128."""
    return np.clip(noise * deviation + 128.5, 0, 255).astype(np.uint8)


def _draw_actor(canvas: Canvas, actor: Actor, depth: float, weather: Weather) -> None:
    camera = canvas.camera
    view = camera.view(np.array([actor.x, 0.0, actor.z]))
    reach = actor.body.length / 2 if isinstance(actor.body, Vehicle) else 0.9
    if depth + reach < NEAR or depth > FAR or abs(view[0]) - reach - 1 > (depth + reach) * camera.width / (2 * camera.focal):
        return
    pose_and_light = actor.x, actor.z, actor.yaw, weather.sun, weather.ambient
    if isinstance(actor.body, Vehicle):
        actor.body.draw(canvas, *pose_and_light)
    else:
        draw = draw_pedestrian if actor.label == PEDESTRIAN else draw_bicyclist
        draw(canvas, actor.body, actor.phase, *pose_and_light)


def _weather(rng: np.random.Generator) -> Weather:
    """Draws light (bright, overcast or dusk) and camera at random."""
    kind = rng.choice(3, p=(0.4, 0.3, 0.3))
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.9)
    direction = np.array([np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)])
    if kind == 0:
        sun, ambient = direction * rng.uniform(0.4, 0.8), rng.uniform(0.45, 0.65)
        top, bottom = np.array((165.0, 200, 232)) * rng.uniform(0.9, 1.3), np.array((240.0, 245, 250)) * rng.uniform(0.95, 1.1)
    elif kind == 1:
        sun, ambient = direction * rng.uniform(0.0, 0.15), rng.uniform(0.65, 0.95)
        top = np.array((232.0, 236, 240)) * rng.uniform(0.9, 1.15)
        bottom = np.array((244.0, 246, 248)) * rng.uniform(0.92, 1.1)
    else:
        sun, ambient = direction * rng.uniform(0.0, 0.1), rng.uniform(0.25, 0.5)
        top, bottom = np.array((112.0, 122, 128)) * rng.uniform(0.6, 1.4), np.array((165.0, 174, 170)) * rng.uniform(0.8, 1.3)
    return Weather(
        sun=sun,
        ambient=ambient,
        sky_top=np.clip(top, 0, 255),
        sky_bottom=np.clip(bottom, 0, 255),
        tint=1 + rng.normal(0, 0.025, 3),
        gain=rng.uniform(0.95, 1.45),
        gamma=rng.uniform(0.95, 1.4),
        blur=rng.uniform(0.3, 0.7) if rng.random() < 0.4 else -rng.uniform(0, 1.1),
        noise=rng.uniform(0.5, 4.0),
        quality=int(rng.integers(70, 122)),
        road_grain=rng.uniform(0.03, 0.09),
        clouds=(int(rng.integers(0, 190)), int(rng.integers(0, 130))),
    )
