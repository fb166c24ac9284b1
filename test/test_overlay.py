"""What is drawn, and where."""

import numpy as np
import pytest

from fcis_ros import rle
from fcis_ros.overlay import colour, draw, label_map
from fcis_ros.structures import Instances

NAMES = ("car", "pedestrian", "bicyclist")


def instances(height: int, width: int, *found: tuple[int, tuple[int, int, int, int], np.ndarray | None]) -> Instances:
    """(label, box, crop) of each, best first; no crop stands for the whole box."""
    boxes = np.array([box for _, box, _ in found], np.int32).reshape(-1, 4)
    crops = [np.ones((y2 - y1, x2 - x1), bool) if crop is None else crop for _, (x1, y1, x2, y2), crop in found]
    runs = tuple(map(rle.encode, crops))
    scores = np.linspace(0.9, 0.5, len(found), dtype=np.float32)
    return Instances(height, width, boxes, scores, np.array([label for label, _, _ in found], np.int64), runs, NAMES)


def test_label_map_puts_the_best_on_top():
    hollow = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
    found = instances(4, 6, (1, (0, 0, 3, 3), hollow), (2, (1, 1, 6, 3), None))
    expected = [[1, 1, 1, 0, 0, 0], [1, 2, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2], [0, 0, 0, 0, 0, 0]]
    assert label_map(found).dtype == np.uint16
    assert label_map(found).tolist() == expected


def test_nothing_found_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    drawn = draw(image, instances(20, 30))
    assert np.array_equal(drawn, image) and drawn is not image
    assert not label_map(instances(20, 30)).any()


def test_the_image_itself_stays_as_it_is():
    image = np.zeros((60, 80, 3), np.uint8)
    image.flags.writeable = False  # as a view of a message is
    drawn = draw(image, instances(60, 80, (1, (20, 30, 60, 50), None)))
    assert drawn.any() and drawn.shape == image.shape and drawn.dtype == np.uint8


def test_pixels_inside_are_blended_and_pixels_outside_untouched():
    image = np.full((100, 200, 3), 100, np.uint8)
    crop = np.zeros((40, 60), bool)
    crop[:, :30] = True
    drawn = draw(image, instances(100, 200, (2, (100, 50, 160, 90), crop)), alpha=0.25)
    expected = 0.75 * 100 + 0.25 * np.array(colour(2, 0))
    assert np.abs(drawn[70, 115] - expected).max() <= 1
    assert np.array_equal(drawn[55:90, 131:160], image[55:90, 131:160])  # in the box, not in the mask
    assert np.array_equal(drawn[92:], image[92:]) and np.array_equal(drawn[:, :99], image[:, :99])
    assert np.array_equal(drawn[70, 100], colour(2, 0))  # the outline


@pytest.mark.parametrize("alpha, inside", [(0.0, (7, 7, 7)), (1.0, None)])
def test_opacity_at_its_ends(alpha, inside):
    drawn = draw(np.full((100, 100, 3), 7, np.uint8), instances(100, 100, (1, (20, 40, 80, 90), None)), alpha)
    assert tuple(drawn[70, 50]) == (inside or colour(1, 0))


def test_a_hole_is_outlined_and_not_filled():
    crop = np.ones((41, 41), bool)
    crop[10:31, 10:31] = False
    drawn = draw(np.zeros((100, 100, 3), np.uint8), instances(100, 100, (1, (30, 40, 71, 81), crop)))
    assert not drawn[60, 50].any()
    assert tuple(drawn[60, 39]) == colour(1, 0)


def test_colours_of_classes_and_of_instances_differ():
    assert colour(1, 0) == colour(1, 0)
    first = [np.array(colour(label, 0), int) for label in range(1, 9)]
    apart = [np.abs(a - b).sum() for i, a in enumerate(first) for b in first[:i]]
    assert min(apart) > 60
    assert len({colour(1, number) for number in range(20)}) == 20
    # An instance is nearer to its class than to another.
    for number in range(20):
        shades = [np.abs(np.array(colour(1, number), int) - other).sum() for other in first[:3]]
        assert np.argmin(shades) == 0


@pytest.mark.parametrize("box", [(0, 0, 5, 5), (75, 0, 80, 4), (0, 55, 80, 60), (79, 59, 80, 60)])
def test_labels_stay_inside(box):
    """Text of an object at any border is written inside the image: one plate, its height known, of the object's colour."""
    drawn = draw(np.zeros((60, 80, 3), np.uint8), instances(60, 80, (2, box, None)))
    plate = (drawn == colour(2, 0)).all(2)
    assert plate.sum() > 200  # "pedestrian 0.90", smallest size


def test_text_is_larger_on_a_larger_image():
    def plate(height: int) -> int:
        width = height * 4 // 3
        found = instances(height, width, (1, (width // 2, height // 2, width // 2 + 2, height // 2 + 2), None))
        drawn = draw(np.zeros((height, width, 3), np.uint8), found)
        return int(drawn.any((1, 2)).sum())

    assert 10 <= plate(360) < plate(1080) <= 40


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2)])
def test_images_smaller_than_a_label(shape):
    height, width = shape
    drawn = draw(np.zeros((height, width, 3), np.uint8), instances(height, width, (1, (0, 0, width, height), None)))
    assert drawn.shape == (height, width, 3)
