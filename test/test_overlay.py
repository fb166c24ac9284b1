# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is drawn, and where."""

import cv2
import numpy as np
import pytest
import torch

from fcis_ros import rle
from fcis_ros.errors import InputError
from fcis_ros.overlay import PALETTE, OverlayStyle, colour, colour_labels, draw, label_map
from fcis_ros.structures import Instances

NAMES = ("car", "pedestrian", "bicyclist")


def instances(height: int, width: int, *found: tuple[int, tuple[int, int, int, int], np.ndarray | None]) -> Instances:
    """(label, box, crop) of each, best first; no crop stands for the whole box."""
    boxes = np.array([box for _, box, _ in found], np.int32).reshape(-1, 4)
    crops = [np.ones((y2 - y1, x2 - x1), bool) if crop is None else crop for _, (x1, y1, x2, y2), crop in found]
    runs = tuple(map(rle.encode, crops))
    scores = np.linspace(0.9, 0.5, len(found), dtype=np.float32)
    return Instances(height, width, boxes, scores, np.array([label for label, _, _ in found], np.int64), runs, NAMES)


def test_label_map_best_instance_is_on_top():
    hollow = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
    found = instances(4, 6, (1, (0, 0, 3, 3), hollow), (2, (1, 1, 6, 3), None))
    expected = [[1, 1, 1, 0, 0, 0], [1, 2, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2], [0, 0, 0, 0, 0, 0]]
    assert label_map(found).dtype == np.uint16
    assert label_map(found).tolist() == expected


def test_draw_no_instances_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    image.flags.writeable = False  # as a view of a message is
    drawn = draw(image, instances(20, 30))
    assert np.array_equal(drawn, image) and drawn is not image
    assert not label_map(instances(20, 30)).any()


def test_draw_blends_inside_only():
    image = np.full((100, 200, 3), 100, np.uint8)
    image.flags.writeable = False
    crop = np.zeros((40, 60), bool)
    crop[:, :30] = True
    drawn = draw(image, instances(100, 200, (2, (100, 50, 160, 90), crop)), OverlayStyle(fill=0.25))
    expected = 0.75 * 100 + 0.25 * np.array(colour(2))
    assert np.abs(drawn[70, 115] - expected).max() <= 1
    assert np.array_equal(drawn[55:90, 131:160], image[55:90, 131:160])  # in the box, not in the mask
    assert np.array_equal(drawn[92:], image[92:]) and np.array_equal(drawn[:, :99], image[:, :99])
    assert np.array_equal(drawn[70, 100], colour(2))  # the outline


@pytest.mark.parametrize("alpha, inside", [(0.0, (7, 7, 7)), (1.0, None)])
def test_draw_opacity_zero_and_one(alpha, inside):
    found = instances(100, 100, (1, (20, 40, 80, 90), None))
    drawn = draw(np.full((100, 100, 3), 7, np.uint8), found, OverlayStyle(fill=alpha))
    assert tuple(drawn[70, 50]) == (inside or colour(1))


def test_draw_hole_is_outlined_and_not_filled():
    crop = np.ones((41, 41), bool)
    crop[10:31, 10:31] = False
    drawn = draw(np.zeros((100, 100, 3), np.uint8), instances(100, 100, (1, (30, 40, 71, 81), crop)))
    assert not drawn[60, 50].any()
    assert tuple(drawn[60, 39]) == colour(1)


def test_colour_is_fixed_and_distinct():
    assert [colour(number) for number in range(1, 8)] == list(PALETTE)
    shades = [np.array(colour(number), int) for number in range(1, 22)]
    assert min(np.abs(a - b).sum() for i, a in enumerate(shades) for b in shades[:i]) > 30
    assert colour(22) == colour(1) and colour(2**32 - 1) in map(colour, range(1, 22))


def test_colour_first_ones_are_distinct_for_the_colour_blind():
    """Deuteranopia and protanopia as Vienot et al. (1999) simulate them, in linear RGB."""
    linear = (np.array(PALETTE) / 255) ** 2.2
    for red, green in ((0.11238, 0.88762), (0.29275, 0.70725)):
        seen = np.stack([red * linear[:, 0] + green * linear[:, 1], linear[:, 2]], 1)
        apart = [np.abs(a - b).sum() for i, a in enumerate(seen) for b in seen[:i]]
        assert min(apart) > 0.1


def test_draw_colours_by_class_or_track():
    found = instances(100, 200, (1, (10, 40, 60, 90), None), (1, (100, 40, 150, 90), None))
    image, ids = np.zeros((100, 200, 3), np.uint8), np.array([5, 0], np.uint32)
    by_class = draw(image, found, OverlayStyle(text=()), ids)
    assert tuple(by_class[60, 10]) == tuple(by_class[60, 100]) == colour(1)
    by_track = draw(image, found, OverlayStyle(text=(), colours="id"), ids)
    assert tuple(by_track[60, 10]) == colour(5) and tuple(by_track[60, 100]) == colour(1)  # the untracked: its class's


def test_colour_labels_equal_the_label_map_in_colours():
    found = instances(4, 6, (1, (0, 0, 3, 3), None), (1, (1, 1, 6, 3), None))
    shown = colour_labels(found)
    table = np.array([(0, 0, 0), colour(1), colour(2)])
    assert shown.dtype == np.uint8 and np.array_equal(shown, table[label_map(found)])
    table = np.array([(0, 0, 0), colour(7), colour(3)])
    assert np.array_equal(colour_labels(found, np.array([7, 3], np.uint32)), table[label_map(found)])
    assert not colour_labels(instances(4, 6)).any()


def test_colour_labels_untracked_is_grey():
    found = instances(4, 6, (1, (0, 0, 3, 3), None))
    grey = colour_labels(found, np.array([0], np.uint32))[0, 0]
    assert grey.any() and len(set(grey.tolist())) == 1


def test_draw_contour_is_thicker_on_a_larger_image():
    """Three pixels at 1080 rows, counted along a row through a filled box, and none where the image ends."""
    for height, thick in ((360, 1), (1080, 3), (2160, 6)):
        found = instances(height, height, (1, (0, height // 4, height // 2, height // 2), None))
        drawn = draw(np.zeros((height, height, 3), np.uint8), found, OverlayStyle(fill=0.0, text=()))
        assert np.flatnonzero(drawn[height // 3].any(1)).tolist() == list(range(height // 2 - thick, height // 2))
    assert (draw(np.zeros((1080, 1080, 3), np.uint8), found_at(1080), OverlayStyle(0.0, 10, ()))[540].any(1)).sum() == 20


def found_at(size: int) -> Instances:
    return instances(size, size, (1, (size // 4, size // 4, size // 2, size * 3 // 4), None))


def test_draw_covered_contour_is_not_drawn():
    found = instances(1080, 1080, (2, (300, 300, 700, 700), None), (1, (400, 400, 500, 500), None))
    drawn = draw(np.zeros((1080, 1080, 3), np.uint8), found, OverlayStyle(fill=0.0, text=()))
    assert not drawn[310:690, 310:690].any()


def test_draw_text_has_the_chosen_parts():
    """Only the width of the plate tells from outside: more parts, a wider one; no part, none."""
    found = instances(200, 400, (2, (100, 100, 102, 102), None))

    def wide(text: tuple[str, ...], ids=(12,)) -> int:
        drawn = draw(np.zeros((200, 400, 3), np.uint8), found, OverlayStyle(text=text), np.array(ids, np.uint32))
        return int(drawn.any((0, 2)).sum())

    assert wide(()) == 2 < wide(("id",)) < wide(("id", "score")) < wide(("class", "score", "id"))
    assert wide(("class", "id"), ids=(0,)) == wide(("class",))
    assert wide(("id",), ids=(0,)) == 2


def test_draw_texts_of_neighbours_do_not_overlap():
    found = instances(400, 600, *((1, (200 + step, 200 + step, 230 + step, 230 + step), None) for step in range(4)))
    images = []
    for count in range(1, 5):
        drawn = draw(np.zeros((400, 600, 3), np.uint8), found.select(np.arange(count)), OverlayStyle(fill=0.0))
        plates = (drawn == colour(1)).all(2)
        images.append(int(cv2.erode(plates.view(np.uint8), np.ones((3, 3), np.uint8)).sum()))
    steps = np.diff([0, *images])
    assert (steps > 0.6 * steps[0]).all()  # every text adds a whole plate


@pytest.mark.cuda
@pytest.mark.parametrize("count", [0, 3])
def test_draw_on_a_gpu_equals_the_cpu(count):
    round_one = np.hypot(*np.mgrid[-299:300, -299:300]) < 280
    corners = [(30 + 200 * index, 150 * index) for index in range(count)]
    found = instances(1080, 1400, *((1 + index, (x, y, x + 599, y + 599), round_one) for index, (x, y) in enumerate(corners)))
    image, ids = np.random.default_rng(0).integers(0, 256, (1080, 1400, 3), dtype=np.uint8), np.arange(count, dtype=np.uint32)
    on_gpu = torch.device("cuda")
    assert np.array_equal(draw(image, found, None, ids, on_gpu), draw(image, found, None, ids))
    assert np.array_equal(label_map(found, on_gpu), label_map(found))
    assert np.array_equal(colour_labels(found, ids, on_gpu), colour_labels(found, ids))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"fill": 1.1}, "fill"), ({"fill": float("nan")}, "fill"), ({"contour": 0}, "contour"), ({"contour": 21}, "contour"),
     ({"text": ("class", "class")}, "text"), ({"text": ("name",)}, "text"), ({"colours": "random"}, "colours")],
)  # fmt: skip
def test_overlay_style_bad_value_is_refused(wrong, message):
    with pytest.raises(InputError, match=f"overlay {message}"):
        OverlayStyle(**wrong)


@pytest.mark.parametrize("box", [(0, 0, 5, 5), (75, 0, 80, 4), (0, 55, 80, 60), (79, 59, 80, 60)])
def test_draw_text_stays_inside_the_image(box):
    """Text of an object at any border is written inside the image: one plate, its height known, of the object's colour."""
    drawn = draw(np.zeros((60, 80, 3), np.uint8), instances(60, 80, (2, box, None)))
    plate = (drawn == colour(2)).all(2)
    assert plate.sum() > 200  # "pedestrian 0.90", smallest size


def test_draw_text_is_larger_on_a_larger_image():
    def plate(height: int) -> int:
        width = height * 4 // 3
        found = instances(height, width, (1, (width // 2, height // 2, width // 2 + 2, height // 2 + 2), None))
        drawn = draw(np.zeros((height, width, 3), np.uint8), found)
        return int(drawn.any((1, 2)).sum())

    assert 10 <= plate(360) < plate(1080) <= 40


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2)])
def test_draw_image_smaller_than_a_text(shape):
    height, width = shape
    drawn = draw(np.zeros((height, width, 3), np.uint8), instances(height, width, (1, (0, 0, width, height), None)))
    assert drawn.shape == (height, width, 3)
