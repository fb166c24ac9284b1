# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from params_writer import SMALL, small_released, write_params

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model.backbones.resnet import ResNet
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.weights_import import mxnet_params, released


def convert(folder, arrays) -> dict[str, np.ndarray]:
    write_params(folder / "small.params", arrays)
    stored = mxnet_params.read(folder / "small.params")
    return dict(released.convert("small.params", stored, released.parameters(SMALL), lambda name: name.endswith("_test")))


ARRAYS = small_released()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return convert(tmp_path_factory.mktemp("released"), ARRAYS)


def test_convert_gives_every_parameter(found):
    wanted = {name: value.numpy() for name, value in FCIS(SMALL).state_dict().items()}
    assert {name: (one.shape, one.dtype) for name, one in found.items()} == {n: (v.shape, v.dtype) for n, v in wanted.items()}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("backbone.conv1.weight", "arg:conv1_weight"),
        ("backbone.layer1.0.downsample.0.weight", "arg:res2a_branch1_weight"),
        ("backbone.layer1.2.bn2.bias", "arg:bn2c_branch2b_beta"),
        ("backbone.layer4.1.bn1.running_mean", "aux:bn5b_branch2a_moving_mean"),
        ("rpn.conv.weight", "arg:rpn_conv_3x3_weight"),
        ("rpn.score.weight", "arg:rpn_cls_score_weight"),
        ("rpn.delta.bias", "arg:rpn_bbox_pred_bias"),
        ("score_maps.reduce.bias", "arg:conv_new_1_bias"),
    ],
)
def test_convert_most_arrays_are_unchanged(found, ours, theirs):
    assert np.array_equal(found[ours], ARRAYS[theirs])


@pytest.mark.parametrize("part", ["weight", "bias"])
def test_convert_reorders_position_sensitive_channels(found, part):
    score, box = found[f"score_maps.score.{part}"], found[f"score_maps.box.{part}"]
    their_score, their_box = ARRAYS[f"arg:fcis_cls_seg_{part}"], ARRAYS[f"arg:fcis_bbox_{part}"]
    for k_bin, label, side in np.ndindex(49, 3, 2):
        assert np.array_equal(score[(k_bin * 4 + label) * 2 + side], their_score[(label * 2 + side) * 49 + k_bin])
    assert not score.reshape(49, 4, -1)[:, 3].any()  # the padding
    for k_bin, delta in np.ndindex(49, 4):
        assert np.array_equal(box[k_bin * 4 + delta], their_box[(4 + delta) * 49 + k_bin])


@pytest.mark.parametrize("backbone", ["resnet50", "resnet101", "resnet152"])
def test_backbone_parameters_have_the_names_of_torchvision(backbone):
    with torch.device("meta"):  # whose backbone has them too
        ours = ResNet(ModelConfig(("car",), backbone=backbone)).state_dict()
    converted = {one.ours: one.shape for one in released.backbone_parameters(backbone).values()}
    assert converted == {name: tuple(v.shape) for name, v in ours.items() if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_convert_other_precisions_are_float32(tmp_path, dtype):
    found = convert(tmp_path, {name: values.astype(dtype) for name, values in ARRAYS.items()})
    assert np.array_equal(found["backbone.conv1.weight"], ARRAYS["arg:conv1_weight"].astype(dtype).astype(np.float32))


NAME = "arg:res3b_branch2b_weight"
WRONG = {
    "missing": (lambda a: a.pop(NAME), "res3b_branch2b_weight is missing"),
    "raw weights missing": (lambda a: a.pop("arg:fcis_bbox_weight"), "fcis_bbox_weight is missing"),
    "shape": (lambda a: a.update({NAME: a[NAME][:, :, :1]}), r"the shape \[4, 4, 1, 3\], this network needs \[4, 4, 3, 3\]"),
    "integers": (lambda a: a.update({NAME: a[NAME].astype(np.int32)}), "is int32, weights are one of float16"),
    "not a number": (lambda a: a[NAME].__setitem__((0, 0, 0, 0), np.nan), "res3b_branch2b_weight holds values .* not finite"),
    "infinite": (lambda a: a[NAME].__setitem__((0, 0, 0, 0), np.inf), "not finite"),
    "too large": (lambda a: a.update({NAME: np.full((4, 4, 3, 3), 1e300)}), "not finite"),
    "variance": (lambda a: a["aux:bn4c_branch2a_moving_var"].__setitem__(0, -1), "bn4c_.*_moving_var holds negative variances"),
    "unexpected": (lambda a: a.update({"arg:fc1000_bias": np.zeros(3, np.float32)}), "'fc1000_bias' is no parameter"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_convert_problem_is_named_in_one_line(tmp_path, what):
    arrays = small_released()
    spoil, problem = WRONG[what]
    spoil(arrays)
    with pytest.raises(InputError, match=f"small.params: .*{problem}"):
        convert(tmp_path, arrays)
