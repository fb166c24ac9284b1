# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The path of an image as a whole: fixed sizes, nothing that waits, and what is ignored is counted."""

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fcis_ros.config import ModelConfig
from fcis_ros.model import fcis
from fcis_ros.model.fcis import FCIS, DenseMaps
from fcis_ros.model.packing import to_instances
from fcis_ros.model.preprocess import Original

TINY = ModelConfig(
    class_names=("car", "pedestrian"), backbone="resnet18", width=8, reduced_channels=16, rpn_channels=16, short_side=96,
    max_side=160, anchor_scales=(1.0, 2.0, 4.0), rpn_post_nms=30,
)  # fmt: skip
ORIGINAL = Original(60, 100, 1.6)


def compute(model: FCIS, image: torch.Tensor):
    with torch.no_grad():
        return model.detect(model.dense(image), 0, ORIGINAL, 0.0, 99)


def find(model: FCIS, image: torch.Tensor):
    """The instances of one image, and how many of its ROIs were ignored."""
    (found,) = model(image, [ORIGINAL])
    return to_instances(found, 60, 100, TINY.class_names), int(found.ignored)


def fake(**changes):
    """Runs a model without any values: whatever had to know one raises."""
    with FakeTensorMode(shape_env=ShapeEnv(allow_dynamic_output_shape_ops=False)):
        return compute(FCIS(ModelConfig(**{**TINY.to_dict(), **changes})).eval(), torch.zeros(1, 3, 96, 160))


@pytest.mark.parametrize("assemble", ["grid", "native"])
def test_detect_shapes_depend_on_no_value(assemble):
    votes = fake(assemble=assemble)
    assert votes.runs.shape == (99,)
    assert votes.scores.shape == votes.labels.shape == (TINY.max_instances,)
    assert votes.boxes.shape == (TINY.max_instances, 4)
    with pytest.raises(DynamicOutputShapeException):
        fake(voting="category")  # needs to know the number of votes, as its docstring says


@pytest.mark.parametrize("features", ["c5", "pyramid"])
@pytest.mark.parametrize("backbone", ["resnet18", "efficientnet_lite0"])
def test_fcis_any_backbone_and_features_has_no_parameters_per_roi(backbone, features):
    """Every parameter is of a convolution over the whole image or of its normalisation."""
    with torch.device("meta"):
        model = FCIS(ModelConfig(class_names=("car",), backbone=backbone, features=features, stride=8))
    parts = [module for module in model.modules() if next(module.parameters(recurse=False), None) is not None]
    assert len(parts) > 40 and all(isinstance(part, nn.Conv2d | nn.BatchNorm2d) for part in parts)


class OnOneDevice(TorchDispatchMode):
    """Raises where an operation takes or gives a tensor of another device than ``meta``."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        tensors = [t for t in tree_leaves((args, kwargs, result)) if isinstance(t, torch.Tensor)]
        assert {t.device.type for t in tensors} <= {"meta"}, f"{operation} on {[t.device for t in tensors]}"
        return result


def test_forward_batch_equals_its_images():
    """The maps of an image do not depend on the others; the rest is computed per image, in its original size."""
    torch.manual_seed(0)
    model, images = FCIS(TINY).eval(), torch.randn(2, 3, 96, 160)
    originals = [ORIGINAL, Original(30, 50, 3.2)]
    with torch.inference_mode():
        together = model.dense(images)
    maps = ("logits", "deltas", "score_maps", "box_maps")
    for index, (image, original, found) in enumerate(zip(images, originals, model(images, originals), strict=True)):
        with torch.inference_mode():
            alone = model.dense(image[None])
        single = {name: getattr(together, name)[index : index + 1] for name in maps}
        for name, value in single.items():
            torch.testing.assert_close(value, getattr(alone, name), rtol=1e-4, atol=1e-4)
        with torch.inference_mode():
            expected = model.detect(DenseMaps(**single, height=96, width=160), 0, original, 0.0, None)
        assert int(expected.ends[-1]) > 0
        for name, value in vars(expected).items():
            assert torch.equal(getattr(found, name), value), name


@pytest.mark.parametrize("assemble", ["grid", "native"])
def test_detect_computes_on_one_device(assemble):
    """A copy from the host's memory waits for the device, and cannot be captured in a graph."""
    model = FCIS(ModelConfig(**{**TINY.to_dict(), "voting": "released", "assemble": assemble})).eval().to("meta")
    image = torch.zeros(1, 3, 96, 160, device="meta")
    with OnOneDevice():
        votes = compute(model, image)
    assert votes.runs.device.type == "meta"


def test_forward_runs_beyond_the_capacity_are_not_lost(monkeypatch):
    torch.manual_seed(0)
    model, image = FCIS(TINY).eval(), torch.randn(1, 3, 96, 160)
    expected, _ = find(model, image)
    assert len(expected) > 1
    for room in (0, sum(map(len, expected.runs)) // 2, 10**6):
        monkeypatch.setattr(fcis, "run_capacity", lambda *_, room=room: room)
        found, _ = find(model, image)
        assert np.array_equal(found.masks, expected.masks) and np.array_equal(found.scores, expected.scores)


def test_forward_non_finite_rois_are_ignored_and_counted():
    torch.manual_seed(0)
    model = FCIS(TINY).eval()
    image = torch.randn(1, 3, 96, 160)
    found, ignored = find(model, image)
    assert len(found) and ignored == 0
    with torch.no_grad():
        model.score_maps.box.bias[0] = torch.nan  # every regressed box is lost, the proposals remain
    found, proposals = find(model, image)
    assert len(found) and 0 < proposals <= TINY.rpn_post_nms
    with torch.no_grad():
        model.score_maps.score.bias[0] = torch.nan  # and now the scores of all
    found, ignored = find(model, image)
    assert len(found) == 0 and ignored == 2 * proposals


def test_fuse_rounds_second_round_doubles_the_rois():
    torch.manual_seed(0)
    model = FCIS(TINY).eval()
    proposals = torch.tensor([[0.0, 0, 30, 30], [20, 20, 90, 70]])
    with torch.inference_mode():
        maps = model.score_maps(torch.randn(1, model.backbone.c5_channels, 6, 10))
        fused = model.fuse_rounds(proposals, *maps, 96, 160)
    assert len(fused.boxes) == 4 and torch.equal(fused.boxes[:2], proposals)
    assert not torch.equal(fused.boxes[2:], proposals)
