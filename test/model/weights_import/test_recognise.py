# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest
import torch
from params_writer import SMALL, small_released, write_params
from safetensors.torch import save_file

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model.weights_import import released
from fcis_ros.model.weights_import.recognise import imagenet, recognise, released_config
from fcis_ros.model.weights_import.stored_array import StoredArray
from fcis_ros.package_data import package_file


def described(classes: int, anchors: int) -> dict[str, StoredArray]:
    return {
        "fcis_cls_seg_weight": StoredArray((98 * classes, 1024, 1, 1), "float32", None),
        "rpn_cls_score_weight": StoredArray((2 * anchors, 512, 1, 1), "float32", None),
    }


@pytest.mark.parametrize(("classes", "anchors", "name"), [(81, 12, "coco"), (21, 9, "voc")])
def test_released_config_follows_from_the_sizes(classes, anchors, name):
    config = released_config("some.params", described(classes, anchors))
    assert config == ModelConfig.read(package_file("config/models", f"resnet101_{name}.json"))
    assert (config.voting, config.mask_output, config.score_floor, config.max_instances) == ("released", "released", 1e-3, 100)


@pytest.mark.parametrize(("classes", "anchors"), [(9, 12), (81, 9), (21, 15)])
def test_released_config_other_sizes_are_refused(classes, anchors):
    with pytest.raises(InputError, match=f"some.params: {classes} classes .* and {anchors} anchors .* --config"):
        released_config("some.params", described(classes, anchors))
    with pytest.raises(InputError, match="0 classes .* and 0 anchors"):  # of channels that are no multiple
        released_config("x", {"fcis_cls_seg_weight": StoredArray((98 * 81 + 1,), "float32", None)})


def test_recognise_fcis_network(tmp_path):
    path = tmp_path / "small.params"
    write_params(path, small_released())
    found = recognise(path, SMALL)
    assert found.kind == "FCIS, MXNet .params" and found.config == SMALL
    assert len(dict(found.tensors)) == found.count
    with pytest.raises(InputError, match="3 classes .* and 6 anchors"):
        recognise(path)
    with pytest.raises(InputError, match="resnet18 has no released names"):
        recognise(path, dataclasses.replace(SMALL, backbone="resnet18"))
    for changes in ({"features": "pyramid"}, {"more_bins": (1,)}):
        with pytest.raises(InputError, match="small.params: the released network has neither a pyramid nor more_bins"):
            recognise(path, dataclasses.replace(SMALL, **changes))


def test_recognise_imagenet_classifier(tmp_path):
    path = tmp_path / "resnet.params"
    expected = released.backbone_parameters("resnet50")
    arrays = {name: np.ones(one.shape, np.float16) for name, one in expected.items()}
    write_params(path, {**arrays, "arg:fc1000_weight": np.ones((2, 3)), "arg:fc1000_bias": np.ones(2)})
    found = recognise(path)
    assert found.kind == "ImageNet resnet50, MXNet .params" and found.config is None
    names = [name for name, _ in found.tensors]
    assert len(names) == len(set(names)) == found.count == 318
    assert "layer4.2.bn3.num_batches_tracked" in names


@pytest.mark.parametrize("backbone", released.BOTTLENECKS)
def test_imagenet_depth_follows_from_the_names(backbone):
    stored = {name: StoredArray(one.shape, "float32", None) for name, one in released.backbone_parameters(backbone).items()}
    assert imagenet("r.params", "x", stored).kind == f"ImageNet {backbone}, x"


def legacy(path):
    torch.save({"x": torch.zeros(1)}, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (lambda path: None, "file: no such file"),
        (lambda path: path.touch(), "empty"),
        (lambda path: save_file({"x": torch.zeros(1)}, path), "a .safetensors file; it needs no import"),
        (legacy, "a Python pickle, which is never read"),
        (lambda path: write_params(path, {"arg:stage1_unit1_conv1_weight": np.ones(1)}), "pre-activation ResNet"),
        (lambda path: write_params(path, {"arg:fc6_weight": np.ones(1)}), "neither FCIS nor a ResNet-50, 101 or 152"),
    ],
)
def test_recognise_other_files_are_refused(tmp_path, write, problem):
    write(tmp_path / "file")
    with pytest.raises(InputError, match=problem):
        recognise(tmp_path / "file")
