# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from fcis_ros.errors import InputError
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.weights_import import mxnet_params, released


@pytest.fixture(scope="module")
def arrays(foreign):
    return foreign.small_released()


def convert(foreign, tmp_path, arrays) -> dict[str, np.ndarray]:
    path = tmp_path / "small.params"
    foreign.write_params(path, arrays)
    expected = released.parameters(foreign.SMALL)
    return dict(released.convert(path, mxnet_params.read(path), expected, lambda name: name.endswith("_test")))


def test_convert_every_parameter_gets_its_values(foreign, tmp_path, arrays):
    found = convert(foreign, tmp_path, arrays)
    wanted = FCIS(foreign.SMALL).state_dict()
    assert {name: values.shape for name, values in found.items()} == {name: tuple(v.shape) for name, v in wanted.items()}
    assert all(found[name].dtype == values.numpy().dtype for name, values in wanted.items())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("backbone.conv1.weight", "arg:conv1_weight"),
        ("backbone.bn1.running_var", "aux:bn_conv1_moving_var"),
        ("backbone.layer1.0.downsample.0.weight", "arg:res2a_branch1_weight"),
        ("backbone.layer1.0.downsample.1.weight", "arg:bn2a_branch1_gamma"),
        ("backbone.layer1.2.bn2.bias", "arg:bn2c_branch2b_beta"),
        ("backbone.layer3.5.conv3.weight", "arg:res4f_branch2c_weight"),
        ("backbone.layer4.1.bn1.running_mean", "aux:bn5b_branch2a_moving_mean"),
        ("rpn.conv.weight", "arg:rpn_conv_3x3_weight"),
        ("rpn.score.weight", "arg:rpn_cls_score_weight"),
        ("rpn.delta.bias", "arg:rpn_bbox_pred_bias"),
        ("score_maps.reduce.bias", "arg:conv_new_1_bias"),
    ],
)
def test_convert_most_arrays_are_unchanged(foreign, tmp_path, arrays, ours, theirs):
    assert np.array_equal(convert(foreign, tmp_path, arrays)[ours], arrays[theirs])


def test_convert_reorders_position_sensitive_channels(foreign, tmp_path, arrays):
    found = convert(foreign, tmp_path, arrays)
    for part in ("weight", "bias"):
        score, box = found[f"score_maps.score.{part}"], found[f"score_maps.box.{part}"]
        their_score, their_box = arrays[f"arg:fcis_cls_seg_{part}"], arrays[f"arg:fcis_bbox_{part}"]
        for row in range(7):
            for column in range(7):
                k_bin = row * 7 + column
                for label in range(3):
                    for side in range(2):
                        ours = score[(k_bin * 4 + label) * 2 + side]
                        assert np.array_equal(ours, their_score[(label * 2 + side) * 49 + k_bin])
                assert not score[(k_bin * 4 + 3) * 2 : (k_bin * 4 + 4) * 2].any()  # the padding
                for delta in range(4):
                    assert np.array_equal(box[k_bin * 4 + delta], their_box[(4 + delta) * 49 + k_bin])


def test_block_names_of_the_resnets():
    assert released.block_names("resnet50") == [list("abc"), list("abcd"), list("abcdef"), list("abc")]
    deep = released.block_names("resnet101")
    assert deep[:2] == [["a", "b", "c"], ["a", "b1", "b2", "b3"]] and deep[2][-1] == "b22" and len(deep[2]) == 23
    assert released.block_names("resnet152")[1:3] == [
        ["a", *(f"b{i}" for i in range(1, 8))],
        ["a", *(f"b{i}" for i in range(1, 36))],
    ]


def test_parameters_have_the_released_sizes():
    from fcis_ros.config import ModelConfig
    from fcis_ros.package_data import package_file

    totals = {}
    for name in ("resnet101_coco", "resnet101_voc"):
        found = released.parameters(ModelConfig.read(package_file("config/models", f"{name}.json")))
        for aux in (False, True):
            sizes = [np.prod(one.shape) for key, one in found.items() if ("moving" in key) == aux]
            totals[name, aux] = (len(sizes), round(sum(sizes) / 1e6, 3))
    assert totals == {
        ("resnet101_coco", False): (324, 57.893), ("resnet101_coco", True): (208, 0.105),
        ("resnet101_voc", False): (324, 51.856), ("resnet101_voc", True): (208, 0.105),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_convert_other_precisions_are_float32(foreign, tmp_path, arrays, dtype):
    found = convert(foreign, tmp_path, {name: values.astype(dtype) for name, values in arrays.items()})
    assert np.array_equal(found["backbone.conv1.weight"], arrays["arg:conv1_weight"].astype(dtype).astype(np.float32))


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
def test_convert_problem_is_named_in_one_line(foreign, tmp_path, what):
    arrays = foreign.small_released()
    spoil, problem = WRONG[what]
    spoil(arrays)
    with pytest.raises(InputError, match=f"small.params: .*{problem}"):
        convert(foreign, tmp_path, arrays)
