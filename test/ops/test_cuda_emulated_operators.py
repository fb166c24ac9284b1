# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The CUDA operators as the model calls them, bindings included, run on the host: whole frames, gradients, bad arguments."""

import numpy as np
import pytest
import torch
from operator_inputs import arguments_of, channels_of, spoil

from fcis_ros import Predictor, ops
from fcis_ros.data.synthetic.scenes import SyntheticScenes
from fcis_ros.model import fcis

pytestmark = [pytest.mark.slow, pytest.mark.compiler, pytest.mark.timeout(900)]
GEOMETRY = (3, 9, 16)
BOX, RUNS, ENDS = (torch.tensor(value, dtype=torch.int32) for value in ([[1, 1, 3, 3]], [0, 4], [2]))


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.from_checkpoint(device="cpu", precision="fp32")


@pytest.mark.parametrize("room", [None, 10**5, 100], ids=["no capacity", "room enough", "too little room"])
def test_frame_through_cuda_bindings_equals_cpu(emulated_operators, predictor, monkeypatch, room):
    """As on a GPU: run lengths have a capacity, and where it does not suffice everything is computed again."""
    image = SyntheticScenes(0).sample(7).image
    expected = predictor(image, 0.3)
    assert len(expected) > 3 and sum(map(len, expected.runs)) > 100
    called = []

    def emulated(name):
        return lambda *arguments: called.append(name) or getattr(emulated_operators, name)(*arguments)

    for name in ops.__all__:
        monkeypatch.setattr(ops, name, emulated(name))
    monkeypatch.setattr(fcis, "run_capacity", lambda *_: room)
    actual = predictor(image, 0.3)
    assert called.count("vote_masks") == (2 if room == 100 else 1)
    assert set(called) == set(ops.__all__) - {"mask_logits", "label_map", "network_input", "paint"}
    assert np.array_equal(actual.boxes, expected.boxes) and np.array_equal(actual.labels, expected.labels)
    np.testing.assert_allclose(actual.scores, expected.scores, atol=1e-5)
    assert (actual.masks != expected.masks).mean() < 1e-4


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["nchw", "channels_last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("prefix", ["", "patent_"])
@pytest.mark.parametrize("name", ["class_logits", "mask_logits", "box_deltas"])
def test_map_operators_and_gradients_equal_cpu(emulated_operators, name, prefix, dtype, layout):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, channels_of(name, 21, 3), 7, 9, generator=generator).to(dtype).to(memory_format=layout)
    maps = spoil(name, maps, 21)
    corner = torch.rand(20, 2, generator=generator) * 100
    rois = torch.cat([torch.arange(20)[:, None] % 2, corner, corner + torch.rand(20, 2, generator=generator) * 60], dim=1)
    extra = arguments_of(name, 21, 20)
    geometry = (3, 16) if prefix and name != "mask_logits" else GEOMETRY
    labels = extra if name == "mask_logits" else ()
    name, arguments = prefix + name, (maps, rois, *extra, *geometry)
    ours = getattr(emulated_operators, name)(*arguments)
    torch.testing.assert_close(ours, getattr(torch.ops.fcis_ros, name)(*arguments), atol=5e-6, rtol=1e-5)
    arguments = (torch.randn(ours.shape, generator=generator), maps, rois, *labels, *geometry)
    actual = getattr(emulated_operators, f"{name}_backward")(*arguments)
    expected = getattr(torch.ops.fcis_ros, f"{name}_backward")(*arguments)
    assert actual.dtype == dtype and actual.stride() == expected.stride()
    torch.testing.assert_close(actual, expected, atol=1e-4 if dtype == torch.float32 else 2e-2, rtol=1e-2)


def test_pictures_and_network_input_equal_cpu(emulated_operators):
    labels = emulated_operators.label_map(BOX, RUNS, ENDS, 4, 5)
    assert torch.equal(labels, ops.label_map(BOX, RUNS, ENDS, 4, 5))
    image, colours = torch.arange(60, dtype=torch.uint8).reshape(4, 5, 3), torch.tensor([[255, 0, 9]], dtype=torch.uint8)
    assert torch.equal(emulated_operators.paint(image, labels, colours, 0.4, 1), ops.paint(image, labels, colours, 0.4, 1))
    arguments = (image.flatten(), 0, 4, 5, 15, 1.3, (9.0,) * 3, (2.0,) * 3, torch.float16)
    actual = emulated_operators.network_input(*arguments)
    assert actual.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(actual, torch.ops.fcis_ros.network_input(*arguments))


MASKS, WEIGHTS, IMAGE = torch.ones(1, 3, 3), torch.ones(1, 1), torch.zeros(1, 1, 3, dtype=torch.uint8)
MAPS, ROIS, ONE_LABEL = torch.zeros(1, 72, 4, 4), torch.zeros(2, 5), torch.ones(1, 1).to(torch.uint16)
WRONG = {
    "boxes, runs: of instance 0": ("label_map", BOX, RUNS, ENDS, 2, 2),
    "labels: instance 1, there are 0 colours": ("paint", IMAGE, ONE_LABEL, IMAGE[0, :0], 0.5, 1),
    "boxes: one that votes is not inside the 2x2": ("vote_masks", BOX, MASKS, ENDS[None] - 2, WEIGHTS, 2, 2, 0.4, True, 0),
    "index: one is too high, there are 1 masks": ("vote_masks", BOX, MASKS, ENDS[None], WEIGHTS, 9, 9, 0.4, True, 0),
    "maps: 71 channels are no multiple of 72": ("class_logits", MAPS[:, 1:].contiguous(), ROIS, 2, *GEOMETRY),
    "classes: 5 classes do not fit the 72": ("patent_class_logits", MAPS, ROIS, 5, 3, 16),
    "grad: 5 classes do not fit the 72": ("class_logits_backward", torch.zeros(2, 5), MAPS, ROIS, *GEOMETRY),
    "size: expected 1..512": ("patent_mask_logits", MAPS, ROIS, ENDS.long().expand(2), 3, 0, 16),
    "scores: 5 classes do not fit": ("best_class_masks", MAPS, ROIS, torch.zeros(2, 5), *GEOMETRY),
    "deltas: expected": ("decode_rois", ROIS, torch.zeros(3, 4), (1.0,) * 4, 9, 9),
}


@pytest.mark.parametrize("message", WRONG)
def test_arguments_that_do_not_fit_are_named(emulated_operators, message):
    name, *arguments = WRONG[message]
    with pytest.raises(ValueError, match=message):
        getattr(emulated_operators, name)(*arguments)


def test_bindings_every_operator_has_one(emulated_operators):
    patents = [f"patent_{name}" for name in ("class_logits", "mask_logits", "box_deltas")]
    for name in [*ops.__all__, *patents, *(f"{name}_backward" for name in patents)]:
        assert torch._C._dispatch_has_kernel_for_dispatch_key(f"fcis_emulated::{name}", "CPU"), name
