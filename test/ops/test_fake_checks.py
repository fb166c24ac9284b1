# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's checks of every operator, and arguments that do not fit: the kernels and their fakes name them alike."""

import re

import pytest
import torch
from operator_inputs import NAMES, random_boxes, random_maps, random_rois, rpn_outputs
from torch._subclasses.fake_tensor import FakeTensorMode

from fcis_ros import ops
from fcis_ros.ops import patent


def samples() -> dict[str, tuple]:
    """Arguments of every operator, for PyTorch's checks of schema, fake kernel and gradient."""
    rois = random_rois(6)
    boxes, scores = random_boxes(8), torch.rand(8, 5)
    voted = torch.tensor([[1, 1, 6, 5], [2, 2, 9, 9]], dtype=torch.int32)
    index = torch.tensor([[0, 1], [-1, 1], [-1, -1]], dtype=torch.int32)
    votes = (voted, torch.ones(2, 3, 3), index, torch.full((3, 2), 0.5), 12, 14)
    instances = ops.vote_masks(*votes, 0.4, True, 0)
    labels = ops.label_map(*instances, 12, 14)
    rpn = (tensor.nan_to_num(0, 0, 0) for tensor in rpn_outputs())  # opcheck finds NaN different from NaN
    score_maps, box_maps, classes = random_maps("class_logits"), random_maps("box_deltas"), torch.arange(6) % 4
    grad, pairs = torch.ones(6, 4), torch.ones(6, 2, 9, 9)
    return {
        "class_logits": (score_maps, rois, 4, 3, 9, 16),
        "class_logits_backward": (grad, score_maps, rois, 3, 9, 16),
        "mask_logits": (score_maps, rois, classes, 3, 9, 16),
        "mask_logits_backward": (pairs, score_maps, rois, classes, 3, 9, 16),
        "best_class_masks": (score_maps, rois, torch.eye(4)[classes], 3, 9, 16),
        "box_deltas": (box_maps.to(memory_format=torch.channels_last), rois, 3, 9, 16),
        "box_deltas_backward": (grad, box_maps, rois, 3, 9, 16),
        "patent_class_logits": (score_maps, rois, 4, 3, 16),
        "patent_class_logits_backward": (grad, score_maps, rois, 3, 16),
        "patent_mask_logits": (score_maps, rois, classes, 3, 9, 16),
        "patent_mask_logits_backward": (pairs, score_maps, rois, classes, 3, 9, 16),
        "patent_box_deltas": (box_maps, rois, 3, 16),
        "patent_box_deltas_backward": (grad, box_maps, rois, 3, 16),
        "decode_anchors": (*rpn, 16, 60, 90, 4.0),
        "decode_rois": (rois.nan_to_num(0, 0, 0), grad, (0.1, 0.1, 0.2, 0.2), 60, 90),
        "rois_to_image": (rois[:, 1:].nan_to_num(0, 0, 0), torch.ones(6, 3), 1.5, -9e9, 60, 90),
        "vote_weights": (boxes, scores, torch.tensor([3, -1]), torch.tensor([2, -1]), 0.5),
        "nms": (boxes, scores[:, 1].contiguous(), 0.5, 10),
        "class_nms": (boxes, scores, 0.5, 0.1, 10),
        "vote_masks": (*votes, 0.4, True, 0),
        "vote_masks with a capacity": (*votes, 0.4, True, 0, 99),
        "label_map": (*instances, 12, 14),
        "paint": (torch.zeros(12, 14, 3, dtype=torch.uint8), labels, torch.ones(3, 3, dtype=torch.uint8), 0.5, 2),
    }


SAMPLES = samples()


@pytest.mark.parametrize("name", SAMPLES)
def test_opcheck_every_operator_passes(name):
    arguments = SAMPLES[name]
    if name.removeprefix("patent_") in NAMES:
        arguments = (arguments[0].clone().requires_grad_(), *arguments[1:])
    torch.library.opcheck(getattr(torch.ops.fcis_ros, name.split()[0]).default, arguments)


def call(fake: bool, name: str, *arguments: object) -> None:
    """Calls the kernel, or its fake on tensors without data."""
    operator = getattr(torch.ops.fcis_ros, name)
    if not fake:
        operator(*arguments)
        return
    with FakeTensorMode() as mode:
        operator(*(mode.from_tensor(argument) if isinstance(argument, torch.Tensor) else argument for argument in arguments))


KERNELS = pytest.mark.parametrize("fake", [False, True], ids=["cpu", "fake"])
TENSORS = [
    (name, index)
    for name, arguments in SAMPLES.items()
    for index, argument in enumerate(arguments)
    if isinstance(argument, torch.Tensor) and " " not in name
]


@KERNELS
@pytest.mark.parametrize(("name", "index"), TENSORS)
def test_any_operator_wrong_rank_or_dtype_names_argument(name, index, fake):
    arguments = list(SAMPLES[name])
    tensor, argument = arguments[index], getattr(torch.ops.fcis_ros, name).default._schema.arguments[index].name
    for wrong in (tensor[None], tensor[0], tensor.to(torch.float64 if tensor.is_floating_point() else torch.int16)):
        arguments[index] = wrong
        with pytest.raises(ValueError, match=f"^{argument}: expected"):
            call(fake, name, *arguments)


@KERNELS
@pytest.mark.parametrize("prefix", ["", "patent_"])
@pytest.mark.parametrize("name", NAMES)
def test_maps_channels_that_do_not_fit_are_named(name, prefix, fake):
    for end in ("", "_backward"):
        arguments = list(SAMPLES[f"{prefix}{name}{end}"])
        index = 1 if end else 0
        arguments[index] = arguments[index][:, 1:].contiguous()
        with pytest.raises(ValueError, match=r"maps: (71|35) channels are no multiple of (72|9), as bins = 3 needs"):
            call(fake, f"{prefix}{name}{end}", *arguments)


MAPS, ROIS, LABELS = torch.zeros(1, 9 * 4 * 2, 4, 4), torch.zeros(2, 5), torch.zeros(2, dtype=torch.long)
GEOMETRY = (3, 9, 16)


@KERNELS
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("class_logits", (MAPS, ROIS, 5, *GEOMETRY), "classes: 5 classes do not fit the 72 channels of maps with bins = 3"),
        ("class_logits", (MAPS, ROIS, 0, *GEOMETRY), "classes: 0 classes do not fit"),
        ("class_logits", (MAPS, ROIS, 2**63 - 1, *GEOMETRY), "classes: 9223372036854775807 classes do not fit"),
        ("class_logits", (MAPS, ROIS, 2, 0, 9, 16), "bins: expected 1..64, got 0"),
        ("patent_class_logits", (MAPS, ROIS, 5, 3, 16), "classes: 5 classes do not fit the 72 channels of maps with bins = 3"),
        ("patent_class_logits", (MAPS, ROIS, 4, 65, 16), "bins: expected 1..64, got 65"),
        ("best_class_masks", (MAPS, ROIS, torch.zeros(3, 3), *GEOMETRY), "scores: expected [2, -1]"),
        ("best_class_masks", (MAPS, ROIS, torch.zeros(2, 5), *GEOMETRY), "scores: 5 classes do not fit the 72 channels"),
        ("class_logits_backward", (torch.zeros(2, 5), MAPS, ROIS, *GEOMETRY), "grad: 5 classes do not fit the 72 channels"),
        ("mask_logits_backward", (torch.zeros(2, 2, 9, 8), MAPS, ROIS, LABELS, *GEOMETRY), "grad: expected [2, 2, 9, 9]"),
        ("box_deltas_backward", (torch.zeros(2, 4), MAPS, ROIS, *GEOMETRY), "grad: expected [2, 8]"),
        ("mask_logits", (MAPS, ROIS, LABELS[:1], *GEOMETRY), "labels: expected [2]"),
        ("patent_mask_logits", (MAPS, ROIS, LABELS[:1], *GEOMETRY), "labels: expected [2]"),
        ("mask_logits", (MAPS, ROIS[:, 1:], LABELS, *GEOMETRY), "rois: expected [-1, 5]"),
    ],
)
def test_sizes_and_classes_that_do_not_fit_are_named(name, arguments, message, fake):
    with pytest.raises(ValueError, match=re.escape(message)):
        call(fake, name, *arguments)


BOX, INDEX, WEIGHT, MASK = torch.tensor([[0, 0, 4, 3]]).int(), torch.zeros(1, 1).int(), torch.ones(1, 1), torch.ones(1, 3, 3)
RUNS, ENDS, BLACK = torch.tensor([1, 2]).int(), torch.tensor([2]).int(), torch.zeros(1, 1, 3).byte()
LOGITS, DELTAS, ANCHORS, SCORES = torch.zeros(6, 2, 2), torch.zeros(12, 2, 2), torch.zeros(3, 4), torch.zeros(2, 3)
ONE, TWO = torch.tensor([1]), torch.tensor([1, 2])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("class_logits", (MAPS.transpose(2, 3).expand(2, -1, -1, -1), ROIS, 2, *GEOMETRY), "maps: neither contiguous nor"),
        ("class_logits", (MAPS[:, :, :0], ROIS, 2, *GEOMETRY), "maps: expected 1..16777215 rows"),
        ("class_logits", (MAPS, torch.zeros(5, 2).T, 2, *GEOMETRY), "rois: not contiguous"),
        ("class_logits", (MAPS, ROIS, 2, 3, 8, 16), "size: 8 is no multiple"),
        ("class_logits", (MAPS, ROIS, 2, 3, 9, 0), "stride: expected"),
        ("patent_mask_logits", (MAPS, ROIS, LABELS, 3, 0, 16), "size: expected 1..512, got 0"),
        ("patent_class_logits", (MAPS, ROIS, 4, 3, 0), "stride: expected"),
        ("vote_masks", (BOX, MASK, INDEX, WEIGHT, 4, 4, 0.4, True, 0), "boxes: (0, 0, 4, 3) is not inside the 4x4"),
        ("vote_masks", (BOX, MASK[:0], INDEX, WEIGHT, 9, 9, 0.4, True, 0), "index: 0, there are 0 masks"),
        ("vote_masks", (BOX, MASK[..., :2], INDEX, WEIGHT, 9, 9, 0.4, True, 0), "masks: expected [M, S, S]"),
        ("vote_masks", (BOX, MASK, INDEX, WEIGHT, 9, 9, 0.4, True, 0, -1), "capacity: expected"),
        ("label_map", (torch.tensor([[0, 0, 2, 2]]).int(), RUNS, ENDS, 4, 4), "runs: 3 pixels of instance 0, its box has 4"),
        ("label_map", (BOX, RUNS, ENDS, 2, 9), "boxes: (0, 0, 4, 3) is not inside the 9x2 image"),
        ("paint", (BLACK, torch.full((1, 1), 2).to(torch.uint16), BLACK[0], 0.5, 1), "labels: instance 2, there are 1 colours"),
        ("paint", (BLACK, torch.zeros(1, 1).to(torch.uint16), BLACK[0], 1.5, 1), "alpha: expected 0..1, got 1.5"),
        ("decode_anchors", (LOGITS[1:], DELTAS, ANCHORS, 16, 9, 9, 1.0), "logits: expected [6, -1, -1]"),
        ("decode_anchors", (LOGITS, DELTAS[:, 1:], ANCHORS, 16, 9, 9, 1.0), "deltas: expected [12, 2, 2]"),
        ("decode_anchors", (LOGITS, DELTAS, ANCHORS, 0, 9, 9, 1.0), "stride: expected"),
        ("decode_rois", (ROIS, ROIS[:, 1:], (1.0,) * 4, 0, 9), "height, width: expected"),
        ("decode_rois", (ROIS, ANCHORS, (1.0,) * 4, 9, 9), "deltas: expected [2, 4]"),
        ("decode_rois", (ROIS, ROIS[:, 1:], (1.0,) * 3, 9, 9), "stds: expected 4, got 3"),
        ("rois_to_image", (ANCHORS, SCORES, 1.0, 1.0, 9, 9), "scores: expected [3, -1]"),
        ("vote_weights", (ROIS[:, 1:], SCORES, ONE, TWO, 0.5), "labels: expected [1]"),
        ("vote_weights", (ROIS[:, 1:], SCORES, TWO, TWO, 0.5), "winners: 2, there are 2 boxes"),
        ("vote_weights", (ROIS[:, 1:], SCORES, ONE, ONE + 2, 0.5), "labels: 3, there are 3 classes"),
        ("nms", (ANCHORS, ANCHORS[:, 0], 0.5, -1), "limit: expected 0..1048576, got -1"),
    ],
)
def test_values_and_layouts_that_do_not_fit_are_named(name, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(torch.ops.fcis_ros, name)(*arguments)


def test_compiled_function_wrong_channels_raises_while_tracing():
    """A wrong argument is named before anything is computed."""
    function = torch.compile(lambda maps: patent.box_deltas(maps, ROIS, 3, 9, 16) + 1, backend="eager", fullgraph=True)
    assert torch.equal(function(MAPS), torch.ones(2, 8))
    with pytest.raises(Exception, match="channels are no multiple of 9"):
        function(MAPS[:, 1:].contiguous())
