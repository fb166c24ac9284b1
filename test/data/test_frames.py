# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every kind of input that needs no ROS, and how each can be wrong."""

import itertools

import cv2
import numpy as np
import pytest

from fcis_ros.data.frames import list_images, open_source, read_image
from fcis_ros.errors import InputError


def picture(value, height=24, width=32):
    return np.full((height, width, 3), value, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    for index in (10, 9, 1):
        cv2.imwrite(str(tmp_path / f"f{index}.png"), picture(index))
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def video(path, frames, rate=20.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, (32, 24))
    for index in range(frames):
        writer.write(picture(20 * index))
    writer.release()
    return path


def test_folder_in_natural_order_at_five_hertz(folder):
    source = open_source(str(folder))
    frames = list(source.frames())
    assert [frame.name for frame in frames] == ["f1.png", "f9.png", "f10.png"]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 9, 10]
    assert [later.stamp - earlier.stamp for earlier, later in itertools.pairwise(frames)] == [200_000_000] * 2
    assert (source.count, source.rate) == (3, 5.0)


def test_frames_and_rate_are_obeyed(folder):
    frames = list(open_source(str(folder), rate=50, frames=2).frames())
    assert len(frames) == 2 and frames[1].stamp - frames[0].stamp == 20_000_000


def test_source_can_be_read_twice(folder):
    source = open_source(str(folder))
    assert [f.name for f in source.frames()] == [f.name for f in source.frames()]


def test_image_is_rgb(tmp_path):
    image = picture(0)
    image[..., 0] = 255  # blue, as OpenCV writes
    cv2.imwrite(str(tmp_path / "blue.png"), image)
    (frame,) = open_source(str(tmp_path / "blue.png")).frames()
    assert frame.image[0, 0].tolist() == [0, 0, 255]


def test_grey_image_becomes_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((8, 8), 7, dtype=np.uint8))
    assert read_image(tmp_path / "grey.png").shape == (8, 8, 3)


def test_video(tmp_path):
    source = open_source(str(video(tmp_path / "clip.mp4", 6)))
    frames = list(source.frames())
    assert [frame.name for frame in frames] == [f"{index:06d}" for index in range(6)]
    assert source.rate == pytest.approx(20) and source.count == 6
    assert frames[1].stamp - frames[0].stamp == 50_000_000


def test_synthetic_brings_its_truth_and_repeats():
    first, again = (list(open_source("synthetic", frames=2, seed=3).frames()) for _ in range(2))
    assert len(first) == 2 and first[0].name != first[1].name
    assert all((a.image == b.image).all() and a.truth.name == a.name for a, b in zip(first, again, strict=True))


def wrong(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged.mp4").write_bytes(b"not a video at all" * 100)
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG but no more")
    (tmp_path / "nothing.png").write_bytes(b"")
    cv2.imwrite(str(tmp_path / "dot.png"), picture(1, 1, 1))
    cv2.imwrite(str(tmp_path / "line.png"), picture(1, 2, 200))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "no such file"),
        ("empty", "no images"),
        ("damaged.mp4", "not a video"),
        ("damaged.png", "cannot|not an image"),
        ("nothing.png", "not an image"),
        ("dot.png", "1x1 is too small"),
        ("line.png", "too elongated"),
    ],
)
def test_bad_input_names_the_thing(tmp_path, name, says):
    path = wrong(tmp_path) / name
    with pytest.raises(InputError, match=says) as error:
        list(open_source(str(path)).frames())
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("rate", "frames"), [(0, None), (-1, None), (float("nan"), None), (None, 0)])
def test_bad_numbers(rate, frames):
    with pytest.raises(InputError):
        open_source("synthetic", rate=rate, frames=frames)


def test_missing_camera():
    with pytest.raises(InputError, match="camera 97"):
        list(open_source("97").frames())


def test_list_images_of_a_file(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        list_images(tmp_path / "nowhere")
