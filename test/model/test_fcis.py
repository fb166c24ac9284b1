# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The path of an image as a whole: fixed sizes, nothing that waits, and what is ignored is counted."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fcis_ros.config import ModelConfig
from fcis_ros.model import checkpoint, fcis
from fcis_ros.model.fcis import FCIS, DenseMaps
from fcis_ros.model.packing import to_instances
from fcis_ros.model.preprocess import Original

TINY = ModelConfig(
    class_names=("car", "pedestrian"), backbone="resnet18", width=8, reduced_channels=16, rpn_channels=16, short_side=96,
    max_side=160, anchor_scales=(1.0, 2.0, 4.0), rpn_post_nms=30,
)  # fmt: skip
ORIGINAL = Original(60, 100, 1.6)
PYRAMID = dataclasses.replace(
    TINY, backbone="efficientnet_lite0", width=64, stride=8, features="pyramid", pyramid_channels=16, short_side=48, max_side=80
)


KINDS = pytest.mark.parametrize(
    "config", [TINY, dataclasses.replace(TINY, assemble="native"), PYRAMID], ids=["grid", "native", "pyramid"]
)


def compute(model: FCIS, image: torch.Tensor):
    with torch.no_grad():
        return model.detect(model.dense(image), 0, ORIGINAL, 0.0, 99)


def find(model: FCIS, image: torch.Tensor):
    """The instances of one image, and how many of its ROIs were ignored."""
    (found,) = model(image, [ORIGINAL])
    return to_instances(found, 60, 100, TINY.class_names), int(found.ignored)


def fake(config: ModelConfig):
    """Runs a model without any values: whatever had to know one raises."""
    with FakeTensorMode(shape_env=ShapeEnv(allow_dynamic_output_shape_ops=False)):
        return compute(FCIS(config).eval(), torch.zeros(1, 3, 96, 160))


def papers_network(model: FCIS, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Dense maps of the paper's network, written from its description with the weights alone: conv5 dilated, at stride 16."""
    weights = model.state_dict()

    def conv(name: str, x: torch.Tensor, stride: int = 1, padding: int = 0, dilation: int = 1) -> torch.Tensor:
        return F.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), stride, padding, dilation)

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        statistics = (weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *statistics, eps=1e-5)

    x = norm("backbone.bn1", conv("backbone.conv1", image, 2, 3)).relu()
    x = F.max_pool2d(x, 3, 2, 0, ceil_mode=True) if model.config.pool1 == "pad0_ceil" else F.max_pool2d(x, 3, 2, 1)
    maps = []
    for stage, stride, hole in ((1, 1, 1), (2, 2, 1), (3, 2, 1), (4, 1, 2)):
        for index in range(1000):
            block, stride = f"backbone.layer{stage}.{index}", stride if index == 0 else 1
            if f"{block}.conv1.weight" not in weights:
                break
            shortcut, down = x, f"{block}.downsample"
            if f"{down}.0.weight" in weights:
                shortcut = norm(f"{down}.1", conv(f"{down}.0", x, stride))
            if f"{block}.conv3.weight" in weights:
                first, second = (stride, 1) if model.config.stride_in_1x1 else (1, stride)
                y = norm(f"{block}.bn1", conv(f"{block}.conv1", x, first)).relu()
                y = norm(f"{block}.bn2", conv(f"{block}.conv2", y, second, hole, hole)).relu()
                y = norm(f"{block}.bn3", conv(f"{block}.conv3", y))
            else:
                y = norm(f"{block}.bn1", conv(f"{block}.conv1", x, stride, hole, hole)).relu()
                y = norm(f"{block}.bn2", conv(f"{block}.conv2", y, 1, hole, hole))
            x = (y + shortcut).relu()
        maps.append(x)
    rpn, reduced = conv("rpn.conv", maps[2], 1, 1).relu(), conv("score_maps.reduce", maps[3]).relu()
    return conv("rpn.score", rpn), conv("rpn.delta", rpn), conv("score_maps.score", reduced), conv("score_maps.box", reduced)


@pytest.mark.parametrize(
    "changes", [{}, {"backbone": "resnet50"}, {"pool1": "pad1_floor", "backbone": "resnet50", "stride_in_1x1": False}]
)
def test_dense_defaults_are_the_papers_network_to_the_bit(changes):
    torch.manual_seed(0)
    model = FCIS(dataclasses.replace(TINY, **changes)).eval()
    assert_papers_network(model, torch.randn(2, 3, 97, 133))


def test_dense_resnet_checkpoint_is_the_papers_network_to_the_bit():
    weights = checkpoint.default_checkpoint().with_name("fcis_road_r18.safetensors")
    assert_papers_network(checkpoint.load(weights), torch.randn(1, 3, 97, 133))


def assert_papers_network(model: FCIS, image: torch.Tensor) -> None:
    with torch.no_grad():
        found, expected = model.dense(image), papers_network(model, image)
    for maps, name in zip(expected, ("logits", "deltas", "score_maps", "box_maps"), strict=True):
        assert torch.equal(getattr(found, name), maps), name


@KINDS
def test_detect_shapes_depend_on_no_value(config):
    votes = fake(config)
    assert votes.runs.shape == (99,)
    assert votes.scores.shape == votes.labels.shape == (TINY.max_instances,)
    assert votes.boxes.shape == (TINY.max_instances, 4)
    with pytest.raises(DynamicOutputShapeException):
        fake(dataclasses.replace(TINY, voting="category"))  # needs to know the number of votes, as its docstring says


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


@pytest.mark.parametrize("config", [TINY, PYRAMID], ids=["resnet", "pyramid"])
def test_forward_batch_equals_its_images(config):
    """The maps of an image do not depend on the others; the rest is computed per image, in its original size."""
    torch.manual_seed(0)
    height, width = config.short_side, config.max_side
    model, images = FCIS(config).eval(), torch.randn(2, 3, height, width)
    originals = [Original(60, 100, height / 60), Original(30, 50, height / 30)]
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
            expected = model.detect(DenseMaps(**single, height=height, width=width), 0, original, 0.0, None)
        assert int(expected.ends[-1]) > 0
        for name, value in vars(expected).items():
            assert torch.equal(getattr(found, name), value), name


@KINDS
def test_detect_computes_on_one_device(config):
    """A copy from the host's memory waits for the device, and cannot be captured in a graph."""
    model = FCIS(config).eval().to("meta")
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


@pytest.mark.parametrize("assemble", ["grid", "native"])
def test_fuse_rounds_at_stride_8_equals_stride_16_at_twice_the_size(assemble):
    """Pixels 2a to 2c + 1 at stride 16 are the same part of the maps as pixels a to c at stride 8."""
    proposals = torch.tensor([[0.0, 0, 30, 30], [20, 17, 70, 40]])
    fused = []
    for stride, boxes, size in ((8, proposals, (48, 80)), (16, proposals * 2 + torch.tensor([0, 0, 1, 1]), (96, 160))):
        torch.manual_seed(0)
        model = FCIS(dataclasses.replace(TINY, stride=stride, assemble=assemble)).eval()
        with torch.inference_mode():
            maps = model.score_maps(torch.randn(1, model.backbone.levels[2].channels, 6, 10) * 9)
            fused.append(model.fuse_rounds(boxes, *maps, *size))
    small, large = fused
    assert torch.equal(small.scores[:2], large.scores[:2]) and torch.equal(small.masks[:2], large.masks[:2])
    assert not torch.allclose(small.boxes[2:], small.boxes[:2], atol=0.5)
    torch.testing.assert_close(small.boxes * 2 + torch.tensor([0, 0, 1, 1]), large.boxes, rtol=0, atol=1e-3)


def test_fuse_rounds_second_round_doubles_the_rois():
    torch.manual_seed(0)
    model = FCIS(TINY).eval()
    proposals = torch.tensor([[0.0, 0, 30, 30], [20, 20, 90, 70]])
    with torch.inference_mode():
        maps = model.score_maps(torch.randn(1, model.backbone.levels[2].channels, 6, 10))
        fused = model.fuse_rounds(proposals, *maps, 96, 160)
    assert len(fused.boxes) == 4 and torch.equal(fused.boxes[:2], proposals)
    assert not torch.equal(fused.boxes[2:], proposals)
