# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels of voting and pictures, run on the host: against the slow reference and, bit by bit, the CPU operators."""

import ctypes

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros import ops
from fcis_ros.ops import reference

pytestmark = pytest.mark.compiler

ORDERS = pytest.mark.parametrize("order", [0, 1, 7], ids=["ascending", "descending", "shuffled"])


@pytest.fixture(scope="module")
def kernels(emulate):
    return emulate("voting.cu", "runs.cu", "overlay.cu")


class Overlay(ctypes.Structure):
    """``struct Overlay`` of mask_kernels.h."""

    _fields_ = [
        ("image", ctypes.c_void_p), ("labels", ctypes.c_void_p), ("colours", ctypes.c_void_p), ("instances", ctypes.c_int64),
        ("alpha", ctypes.c_float), ("thickness", ctypes.c_int64), ("height", ctypes.c_int64), ("width", ctypes.c_int64),
    ]  # fmt: skip


class Votes(ctypes.Structure):
    """``struct Votes`` of mask_kernels.h."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("boxes", "masks", "index", "weights")),
        *((name, ctypes.c_int64) for name in ("winners", "rois", "mask_count", "size", "height", "width")),
        ("threshold", ctypes.c_float),
        ("binarise_first", ctypes.c_bool),
        ("resample", ctypes.c_int64),
    ]


def run_vote_masks(kernels, boxes, masks, index, weights, height, width, threshold, binarise_first, resample, capacity=None):
    """Tight boxes, runs, ends and the report; ``capacity`` None: as many runs as there are."""
    pointers = [tensor.data_ptr() for tensor in (boxes, masks, index, weights)]
    votes = Votes(*pointers, *index.shape, *masks.shape[:2], height, width, threshold, binarise_first, resample)
    space = kernels.workspace("voting", votes)
    tight, ends = torch.full((len(index), 4), 7, dtype=torch.int32), torch.full((len(index),), 7, dtype=torch.int32)
    report = torch.full((2,), 7)
    kernels("fcis::cuda::count_runs", votes, space, tight, ends, report, None)
    runs = torch.full((int(report[0]) if capacity is None else capacity,), -7, dtype=torch.int32)
    kernels("fcis::cuda::write_runs", votes, space, ends, runs, len(runs), None)
    return tight, runs, ends, report.tolist()


def check_votes(kernels, *arguments):
    """Compares voting with the CPU's, to the bit; the results."""
    *actual, report = run_vote_masks(kernels, *arguments)
    assert all(map(torch.equal, actual, ops.vote_masks(*arguments))) and report == [len(actual[1]), 0]
    return actual


def random_votes(seed: int, height: int, width: int, rois=6, winners=4, size=5) -> tuple:
    """Masks smooth or noisy, boxes of one pixel to the whole image, weights that sum to 1, winners without a voter."""
    random = np.random.default_rng(seed)
    x, y = np.sort(random.integers(0, width, (2, rois)), axis=0), np.sort(random.integers(0, height, (2, rois)), axis=0)
    boxes = np.stack([x[0], y[0], x[1], y[1]], axis=1).astype(np.int32)
    if rois > 2:
        boxes[0] = [0, 0, width - 1, height - 1]
        boxes[1, 2:] = boxes[1, :2]
    masks = random.normal(0.4, 1, (rois, size, size))
    if seed % 2:
        masks = masks.cumsum(axis=1).cumsum(axis=2)
    masks = masks.clip(0, 1).astype(np.float32)
    index = np.where(random.random((winners, rois)) < 0.6, random.integers(0, rois, (winners, rois)), -1).astype(np.int32)
    weights = random.random((winners, rois)) * (index >= 0)
    weights = (weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return *map(torch.from_numpy, (boxes, masks, index, weights)), height, width


VOTES = st.builds(
    random_votes,
    st.integers(0, 10**6),
    st.integers(1, 70),
    st.integers(1, 70),
    rois=st.integers(1, 6),
    winners=st.integers(0, 4),
    size=st.sampled_from([1, 2, 5, 21]),
)


@given(VOTES, st.sampled_from([0.4, 0.4, 0.0, 1.0]), st.booleans(), st.sampled_from([0, 1, 7, 21]), st.sampled_from([0, 1, 7]))
def test_vote_masks_any_votes_equal_cpu(kernels, votes, threshold, binarise_first, resample, order):
    arguments = (*votes, threshold, binarise_first, resample)
    kernels.order(order)
    try:
        check_votes(kernels, *arguments)
    finally:
        kernels.order(0)


@pytest.mark.parametrize("binarise_first", [True, False])
@pytest.mark.parametrize("resample", [0, 21])
def test_vote_masks_many_rois_equal_cpu_and_reference(kernels, binarise_first, resample):
    """More ROIs than lanes, boxes across several tiles; the reference agrees too."""
    arguments = (*random_votes(3, 100, 130, rois=70, winners=9, size=21), 0.4, binarise_first, resample)
    actual = check_votes(kernels, *arguments)
    labels, expected = (reference.label_map(*masks, 100, 130) for masks in (actual, reference.vote_masks(*arguments)))
    assert (labels != expected).float().mean() <= 0.02  # where a vote meets the threshold within a rounding


@pytest.mark.parametrize(
    "box", [[0, 0, 0, 0], [39, 33, 39, 33], [0, 31, 39, 32], [31, 0, 32, 33], [39, 0, 39, 33], [0, 33, 39, 33], [0, 0, 39, 33]]
)
@pytest.mark.parametrize("resample", [0, 3])
def test_vote_masks_at_border_or_one_pixel_equal_cpu(kernels, box, resample):
    """Boxes that end where a word of rows or a warp of columns does, one pixel wide, high or both."""
    masks = torch.tensor(
        [[[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]], [[1.0] * 3] * 3, [[0.0] * 3] * 3, [[torch.nan] * 3] * 3]
    )
    index = torch.tensor([[0], [1], [2], [3], [-1]], dtype=torch.int32)
    arguments = (torch.tensor([box], dtype=torch.int32), masks, index, torch.ones(5, 1), 34, 40, 0.4, True, resample)
    actual = check_votes(kernels, *arguments)
    if not resample:
        assert all(map(torch.equal, actual, reference.vote_masks(*arguments)))


@pytest.mark.parametrize("value", [0.1, 0.3, 0.4, 0.7])
@pytest.mark.parametrize("binarise_first", [True, False])
def test_vote_masks_votes_at_threshold_equal_cpu(kernels, binarise_first, value):
    """Interpolating between equal values gives that value or its neighbour: every operation has to be the CPU's."""
    boxes = torch.tensor(
        [[x, x, x + side, x + side // 2 + 1] for x, side in [(0, 60), (3, 37), (20, 13), (33, 30)]], dtype=torch.int32
    )
    masks, index = torch.full((4, 7, 7), value), torch.arange(4, dtype=torch.int32).diag() + torch.eye(4, dtype=torch.int32) - 1
    for resample in (0, 9):
        check_votes(kernels, boxes, masks, index, torch.eye(4), 66, 66, value, binarise_first, resample)


def test_vote_masks_runs_beyond_capacity_are_not_written(kernels):
    arguments = (*random_votes(8, 40, 50, winners=6), 0.4, True, 0)
    tight, runs, ends = ops.vote_masks(*arguments)
    room = int(ends[2]) + 1
    assert room < len(runs)
    actual = run_vote_masks(kernels, *arguments, capacity=room)
    assert actual[3] == [len(runs), 0]
    assert torch.equal(actual[0], tight) and torch.equal(actual[2], ends)
    assert torch.equal(actual[1][: room - 1], runs[: room - 1])
    assert actual[1][room - 1] == -7


def test_vote_masks_wrong_voters_are_left_out_and_reported(kernels):
    boxes, masks, index, weights, height, width = random_votes(5, 30, 30)
    index[0] = torch.tensor([0, 1, 2, 3, 4, 5])
    good = index.clone()
    good[:, 1], good[0, 3] = -1, -1
    for wrong in ([-1, 0, 4, 4], [3, 3, 2, 5], [0, 0, 30, 4], [0, 0, 4, 2**31 - 1]):
        boxes[1], index[0, 3] = torch.tensor(wrong), len(masks)
        *actual, report = run_vote_masks(kernels, boxes, masks, index, weights, height, width, 0.2, True, 0)
        boxes[1] = 0
        assert all(map(torch.equal, actual, ops.vote_masks(boxes, masks, good, weights, height, width, 0.2, True, 0)))
        assert report == [len(actual[1]), 3]


@pytest.mark.parametrize(("height", "width"), [(2160, 3840), (40, 32768)])
def test_vote_masks_large_images_equal_cpu(kernels, height, width):
    boxes = torch.tensor(
        [[width - 200, height - 40, width - 1, height - 1], [width - 3, 0, width - 1, height - 1]], dtype=torch.int32
    )
    masks = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(0))
    index = torch.tensor([[-1, 0], [0, 1]], dtype=torch.int32)
    arguments = (boxes, masks, index, torch.full((2, 2), 0.5), height, width, 0.2, True, 0)
    actual = check_votes(kernels, *arguments)
    assert actual[0][:, 2].tolist() == [width, width]


def run_label_map(kernels, boxes, runs, ends, height, width):
    labels, wrong = torch.full((height, width), 7, dtype=torch.uint16), torch.full((1,), 7, dtype=torch.int32)
    space = kernels.workspace("label_map", len(runs))
    kernels("fcis::cuda::label_map", boxes, runs, ends, len(boxes), len(runs), height, width, space, labels, wrong, None)
    return labels, int(wrong)


def run_paint(kernels, image, labels, colours, alpha, thickness):
    result, wrong = torch.full_like(image, 7), torch.full((1,), 7, dtype=torch.int32)
    pointers = (tensor.data_ptr() for tensor in (image, labels, colours))
    overlay = Overlay(*pointers, len(colours), alpha, thickness, *labels.shape)
    space = kernels.workspace("paint", *labels.shape)
    kernels("fcis::cuda::paint", overlay, space, result, wrong, None)
    return result, int(wrong)


@given(VOTES, st.floats(0, 1, width=32), st.sampled_from([0, 1, 2, 5, 255]), st.integers(0, 99))
def test_label_map_and_paint_any_instances_equal_reference(kernels, votes, alpha, thickness, seed):
    height, width = votes[-2:]
    masks = ops.vote_masks(*votes, 0.4, True, 0)
    labels, wrong = run_label_map(kernels, *masks, height, width)
    assert torch.equal(labels, reference.label_map(*masks, height, width))
    assert wrong == 0
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator)
    colours = torch.randint(0, 256, (len(votes[2]), 3), dtype=torch.uint8, generator=generator)
    result, wrong = run_paint(kernels, image, labels, colours, alpha, thickness)
    assert torch.equal(result, reference.paint(image, labels, colours, alpha, thickness))
    assert wrong == 0


@ORDERS
def test_label_map_many_instances_equal_reference(kernels, order):
    """Overlapping instances in more than one round of 256, runs in more than one round too, runs of no length."""
    random = np.random.default_rng(2)
    boxes, runs, ends = [], [], []
    for _ in range(300):
        x, y = np.sort(random.integers(0, 61, 2)), np.sort(random.integers(0, 41, 2))
        cuts = np.sort(random.integers(0, (x[1] - x[0]) * (y[1] - y[0]) + 1, 700 if len(boxes) == 299 else 6))
        boxes.append([x[0], y[0], x[1], y[1]])
        runs.append(np.diff(cuts, prepend=0, append=(x[1] - x[0]) * (y[1] - y[0])))
        ends.append(sum(map(len, runs)))
    instances = [torch.from_numpy(np.array(part).astype(np.int32)) for part in (boxes, np.concatenate(runs), ends)]
    kernels.order(order)
    labels, wrong = run_label_map(kernels, *instances, 40, 60)
    kernels.order(0)
    assert torch.equal(labels, reference.label_map(*instances, 40, 60))
    assert wrong == 0


@pytest.mark.parametrize(
    ("box", "runs", "ends"),
    [([0, 0, 2, 3], [1, 4], [2]), ([0, 0, 2, 3], [7, -1], [2]), ([0, 0, 9, 3], [0, 27], [2]), ([-1, 0, 1, 3], [0, 6], [2]),
     ([2, 0, 0, 3], [0, 6], [2]), ([0, 0, 2, 3], [0, 6], [3]), ([0, 0, 2, 3], [0, 6], [-1]),
     ([0, 0, 8, 8], [2**31 - 1, 2**31 - 1], [2])],
)  # fmt: skip
def test_label_map_wrong_instances_are_reported(kernels, box, runs, ends):
    good = [[0, 0, 1, 1], [0, 1], [2]]
    instances = [torch.tensor(part, dtype=torch.int32) for part in ([good[0], box], good[1] + runs, good[2] + [ends[0] + 2])]
    labels, wrong = run_label_map(kernels, *instances, 8, 8)
    assert wrong == 2
    assert labels[0, 0] == 1


def test_paint_wrong_labels_are_reported(kernels):
    labels = torch.tensor([[0, 1, 3, 2]], dtype=torch.int32).to(torch.uint16)
    image, colours = torch.arange(12, dtype=torch.uint8).reshape(1, 4, 3), torch.full((2, 3), 200, dtype=torch.uint8)
    result, wrong = run_paint(kernels, image, labels, colours, 1.0, 1)
    assert wrong == 3
    assert result[0, :, 0].tolist() == [0, 200, 6, 200]


@pytest.mark.parametrize("resample", [0, 5])
def test_mask_kernels_edge_sizes_stay_inside_arrays(kernels, resample):
    for seed, height, width in [(0, 1, 1), (1, 33, 31), (2, 64, 65)]:
        votes = random_votes(seed, height, width)
        arguments = (*votes, 0.4, seed % 2 == 0, resample)
        actual = check_votes(kernels, *arguments)
        labels, _ = run_label_map(kernels, *actual, height, width)
        black = torch.zeros(height, width, 3, dtype=torch.uint8)
        run_paint(kernels, black, labels, torch.zeros(4, 3, dtype=torch.uint8), 0.5, 1)


@pytest.mark.slow
def test_kernels_under_sanitizer_stay_inside_arrays(sanitized):
    sanitized(__file__, "edge_sizes or wrong")
