# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fcis_ros.config import ModelConfig
from fcis_ros.structures import Sample
from fcis_ros.training.augment import make_item, paste_objects, warp_mask

CONFIG = ModelConfig(class_names=("car", "pedestrian"), short_side=100, max_side=200)


def sample(box, label=1, size=(100, 120), crowd=False, colour=255) -> Sample:
    x1, y1, x2, y2 = box
    mask = np.zeros((1, *size), bool)
    mask[0, y1:y2, x1:x2] = True
    image = np.zeros((*size, 3), np.uint8)
    image[mask[0]] = colour
    return Sample(image, mask, np.array([label]), np.array([crowd]), "x")


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(6))
def test_make_item_image_masks_and_boxes_stay_aligned(seed):
    """A white object on black lies exactly under its mask after any flip, scale and crop."""
    item = make_item(sample((40, 30, 80, 70)), CONFIG, (96, 112), (0.8, 1.5), generator(seed))
    assert item.image.shape == (3, 96, 112) and item.masks.shape == (1, 96, 112)
    background = item.image[:, item.masks[0] == 0].mean()
    assert item.image[:, item.masks[0] == 1].mean() > background + 50
    rows, columns = np.nonzero(item.masks[0].numpy())
    assert item.boxes[0].tolist() == [columns.min(), rows.min(), columns.max(), rows.max()]


def test_make_item_same_seed_gives_equal_item():
    a, b = (make_item(sample((40, 30, 80, 70)), CONFIG, (96, 112), (0.8, 1.5), generator(5)) for _ in range(2))
    assert (a.image == b.image).all() and (a.masks == b.masks).all()


def test_make_item_unscaled_and_uncropped_is_the_object_or_its_mirror_image():
    items = [make_item(sample((40, 30, 70, 70)), CONFIG, (100, 120), (1, 1), generator(seed)) for seed in range(8)]
    assert {tuple(item.boxes[0].int().tolist()) for item in items} == {(40, 30, 69, 69), (50, 30, 79, 69)}


def test_make_item_crowds_and_tiny_objects_are_ignored():
    crowd = make_item(sample((40, 30, 80, 70), crowd=True), CONFIG, (100, 120), (1, 1), generator())
    assert len(crowd.boxes) == 0 and crowd.ignore.sum() == 1600
    crumb = make_item(sample((40, 30, 44, 34)), CONFIG, (100, 120), (1, 1), generator())
    assert len(crumb.boxes) == 0 and crumb.ignore.sum() == 16


@pytest.mark.parametrize("seed", range(40))
def test_warp_mask_equals_bilinear_interpolation_of_the_whole_mask(seed):
    """The reference interpolates at every pixel of the crop; pixels near the threshold may differ by rounding."""
    rng = generator(seed)
    (top, bottom), (left, right) = (np.sort(rng.choice(n + 1, 2, replace=False)) for n in (30, 40))
    mask = np.zeros((30, 40), bool)
    mask[top:bottom, left:right] = rng.random((bottom - top, right - left)) < 0.8
    mask[top, left] = True
    scale, flip = rng.uniform(0.4, 2.5), rng.choice([-1, 1])
    matrix = np.array([[flip * scale, 0, rng.uniform(-20, 60)], [0, scale, rng.uniform(-30, 30)]])
    padded = np.pad(mask, 200).astype(float)
    y, x = (np.arange(36) - matrix[1, 2]) / scale + 200, (np.arange(52) - matrix[0, 2]) / (flip * scale) + 200
    (y0, fy), (x0, fx) = ((np.floor(v).astype(int), v % 1) for v in (y, x))
    rows = padded[y0] * (1 - fy)[:, None] + padded[y0 + 1] * fy[:, None]
    expected = rows[:, x0] * (1 - fx) + rows[:, x0 + 1] * fx
    clear = abs(expected - 0.5) > 0.05  # coordinates are rounded to 1/32 pixel
    found = warp_mask(mask, matrix, (36, 52))
    assert clear.mean() > 0.5 and np.array_equal(found[clear], (expected > 0.5)[clear])


@pytest.mark.parametrize("seed", range(8))
def test_paste_objects_keeps_masks_disjoint_and_rows(seed):
    target, source = sample((0, 20, 120, 80)), sample((40, 40, 60, 70), label=2, colour=100)
    pasted = paste_objects(target, source, generator(seed))
    assert pasted.masks.sum(axis=0).max() == 1
    assert pasted.labels.tolist() == [1, 2]
    rows = np.flatnonzero(pasted.masks[1].any(axis=1))
    assert abs(rows[0] - 40) <= 3 and abs(rows[-1] - 69) <= 3
    assert 40 < pasted.image[pasted.masks[1]].mean() < 160  # its pixels were copied
    assert target.image[target.masks[0]].min() == 255  # and the original is untouched


def test_paste_objects_fully_covered_object_disappears():
    pasted = paste_objects(sample((50, 50, 58, 58)), sample((0, 40, 120, 70), label=2), generator())
    assert pasted.labels.tolist() == [2]


def test_paste_objects_mostly_covered_object_becomes_crowd():
    """An object of 60 columns, covered but for a few of them: a crowd, so that its rest is no example of background."""
    rests = []
    for seed in range(20):
        pasted = paste_objects(sample((30, 45, 90, 55)), sample((10, 38, 80, 62), label=2), generator(seed))
        visible = (pasted.masks[0] & ~pasted.masks[-1]).sum() if len(pasted.labels) == 2 else 0
        if 0 < visible < 0.3 * 600:
            rests.append(seed)
            assert pasted.labels.tolist() == [1, 2] and pasted.crowd.tolist() == [True, False]
        elif visible:
            assert pasted.crowd.tolist() == [False, False]
    assert rests


def test_paste_objects_small_uncovered_object_stays_an_object():
    """Sixteen pixels, far from where the other object is pasted."""
    pasted = paste_objects(sample((2, 2, 6, 6)), sample((40, 60, 80, 90), label=2), generator())
    assert pasted.labels.tolist() == [1, 2] and pasted.crowd.tolist() == [False, False]
    assert pasted.masks[0].sum() == 16


def test_paste_objects_without_a_pixel_are_neither_pasted_nor_kept():
    """``segmentation: []`` or a polygon smaller than a pixel: an empty mask."""
    empty = sample((50, 50, 50, 50))
    assert len(make_item(empty, CONFIG, (96, 112), (0.8, 1.5), generator()).boxes) == 0
    assert paste_objects(empty, sample((40, 30, 80, 70)), generator()).labels.tolist() == [1]


@pytest.mark.parametrize(
    "source", [sample((50, 50, 50, 50)), sample((1, 1, 9, 9), size=(50, 50)), sample((1, 1, 9, 9), crowd=True)]
)
def test_paste_objects_from_other_size_or_without_objects_returns_the_target(source):
    target = sample((40, 30, 80, 70))
    assert paste_objects(target, source, generator()) is target
