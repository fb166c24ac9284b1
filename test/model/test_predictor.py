# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import copy

import numpy as np
import pytest
import torch

import fcis_ros
from fcis_ros.data.synthetic.scenes import SyntheticScenes
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.preprocess import preprocess


@pytest.fixture
def predictor(tiny_checkpoint):
    return fcis_ros.Predictor.from_checkpoint(tiny_checkpoint, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def pyramid(pyramid_checkpoint):
    """An EfficientNet-Lite with a pyramid at stride 8."""
    return fcis_ros.Predictor.from_checkpoint(pyramid_checkpoint, device="cpu", precision="fp32")


def test_predictor_instances_fit_the_image(predictor):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    found = predictor(image)
    assert 0 < len(found) <= predictor.config.max_instances
    assert found.masks.shape == (len(found), 60, 80)
    assert (np.diff(found.scores) <= 0).all()
    for mask, (x1, y1, x2, y2) in zip(found.masks, found.boxes, strict=True):
        rows, columns = np.nonzero(mask)
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x1, y1, x2, y2)
    assert (predictor.name, predictor.device.type) == ("tiny", "cpu")


def test_predict_has_stage_times_and_ignored_rois(predictor):
    (prediction,) = predictor.predict([np.zeros((60, 80, 3), np.uint8)])
    stages = ["preprocess", "backbone", "rpn", "score_maps", "proposals", "rois", "nms", "voting", "download"]
    assert list(prediction.stage_ms) == stages and min(prediction.stage_ms.values()) > 0
    assert prediction.ignored_rois == 0
    with torch.no_grad():
        predictor.model.score_maps.score.bias[0] = torch.nan
    (prediction,) = predictor.predict([np.zeros((60, 80, 3), np.uint8)])
    assert prediction.ignored_rois > 0 and len(prediction.instances) == 0


def test_predict_images_of_one_size_are_one_batch_in_order(predictor):
    """The first and the last have the same size once they are resized."""
    images = [np.zeros((*size, 3), np.uint8) for size in ((60, 80), (50, 90), (120, 160))]
    convolved = []
    predictor.model.backbone.register_forward_pre_hook(lambda _, inputs: convolved.append(tuple(inputs[0].shape)))
    found = predictor.predict(images, 0.1)
    assert convolved == [(2, 3, 96, 128), (1, 3, 89, 160)]
    assert [(one.instances.height, one.instances.width) for one in found] == [(60, 80), (50, 90), (120, 160)]


def default(precision: str) -> fcis_ros.Predictor:
    return fcis_ros.Predictor.from_checkpoint(device="cpu", precision=precision)


def test_predictor_bf16_finds_the_instances_of_fp32():
    """The default model on a synthetic frame, in software where the CPU has no bfloat16."""
    image = SyntheticScenes(0).sample(7).image
    exact, rounded = default("fp32")(image, 0.5), default("bf16")(image, 0.4)
    assert len(exact) > 2
    for box, label, score in zip(exact.boxes, exact.labels, exact.scores, strict=True):
        near = (np.abs(rounded.boxes - box).max(axis=1) <= 6) & (rounded.labels == label)
        assert near.any() and np.abs(rounded.scores[near] - score).min() <= 0.1


def test_predictor_convolves_in_its_precision(monkeypatch):
    """PyTorch's default is to allow TF32: a predictor that says fp32 must not."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    exact, allowed = default("fp32"), []
    exact.model.backbone.register_forward_hook(lambda *_: allowed.append(torch.backends.cudnn.allow_tf32))
    exact(np.zeros((64, 96, 3), np.uint8))
    assert allowed == [False]


def test_predictor_leaves_the_given_network_unchanged(tiny_checkpoint):
    """It folds batch norm and rounds the weights of a copy."""
    network = checkpoint.load(tiny_checkpoint).train()
    before = copy.deepcopy(network)
    predictor = fcis_ros.Predictor(network, "tiny", torch.device("cpu"), "bf16")
    assert predictor.model.rpn.conv.weight.dtype == torch.bfloat16 and not predictor.model.training
    assert [type(module) for module in network.modules()] == [type(module) for module in before.modules()]
    assert all(module.training for module in network.modules())
    for (name, given), value in zip(network.state_dict().items(), before.state_dict().values(), strict=True):
        assert given.dtype == value.dtype and torch.equal(given, value), name


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_predictor_same_image_gives_equal_bits(tiny_checkpoint, precision):
    """From the same predictor, after another image, and from a second one."""
    first, second = (fcis_ros.Predictor.from_checkpoint(tiny_checkpoint, "cpu", precision=precision) for _ in range(2))
    image, other = np.random.default_rng(1).integers(0, 256, (2, 60, 80, 3), dtype=np.uint8)
    found, between = first(image), first(other)
    assert len(found) > 0 and not np.array_equal(found.scores, between.scores)
    for again in (first(image), second(image)):
        for name in ("boxes", "scores", "labels", "masks"):
            assert np.array_equal(getattr(found, name), getattr(again, name)), name


@pytest.mark.parametrize("size", [(2, 2), (2, 40), (3, 57), (300, 17)])
def test_predictor_odd_sizes_are_taken(predictor, size):
    found = predictor(np.zeros((*size, 3), np.uint8))
    assert (found.height, found.width) == size


@pytest.mark.parametrize("size", [(2, 2), (2, 40), (3, 57), (5, 100), (300, 17), (101, 63)])
def test_predictor_pyramid_odd_sizes_are_taken(pyramid, size):
    """Sides below the stride once they are resized as well: a 100x5 image has three rows then."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = pyramid(image)
    assert (found.height, found.width) == size
    assert found.masks.shape[1:] == size and np.isfinite(found.scores).all()


def test_predictor_pyramid_batch_equals_single_images(pyramid):
    """Up to the rounding of the convolutions: mirrored images are another batch."""
    images = [SyntheticScenes(0).sample(n).image[:99, :130] for n in range(2)]
    for together, image in zip(pyramid.predict(images, 0.2), images, strict=True):
        alone = pyramid(image, 0.2)
        assert len(alone) > 3 and np.array_equal(together.instances.labels, alone.labels)
        np.testing.assert_allclose(together.instances.scores, alone.scores, atol=1e-4)
        assert (together.instances.masks != alone.masks).mean() < 1e-3


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_predictor_pyramid_computes_in_its_precision(pyramid_checkpoint, pyramid, precision):
    rounded = fcis_ros.Predictor.from_checkpoint(pyramid_checkpoint, device="cpu", precision=precision)
    dtypes = {parameter.dtype for parameter in rounded.model.parameters()}
    assert dtypes == {{"bf16": torch.bfloat16, "fp16": torch.float16}[precision]}
    image = SyntheticScenes(0).sample(7).image[:99, :130]
    with torch.inference_mode():
        image_tensor = preprocess(image, pyramid.config)[0]
        exact, found = pyramid.model.dense(image_tensor), rounded.model.dense(image_tensor.to(*dtypes))
    for name in ("logits", "deltas", "score_maps", "box_maps"):
        a, b = getattr(exact, name), getattr(found, name).float()
        assert (a - b).abs().max() <= 0.1 * a.abs().max(), name
    assert len(rounded(image)) > 0


def test_predict_no_image_or_a_bad_one_computes_nothing(predictor):
    assert predictor.predict([]) == []
    predictor.model.forward = None
    with pytest.raises(InputError, match="1x1 is too small"):
        predictor.predict([np.zeros((60, 80, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)])
