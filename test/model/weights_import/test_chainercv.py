# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import re

import numpy as np
import pytest
from params_writer import SMALL, small_released, write_params

from fcis_ros.errors import InputError
from fcis_ros.model.weights_import import chainercv, npz
from fcis_ros.model.weights_import.recognise import recognise


def to_chainercv(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What ChainerCV's converter makes of released arrays: its names, y before x, the two scores of an anchor together."""
    found = {}
    heads = {"rpn_conv_3x3": "rpn/conv1", "rpn_cls_score": "rpn/score", "rpn_bbox_pred": "rpn/loc",
             "conv_new_1": "head/conv1", "fcis_cls_seg": "head/cls_seg", "fcis_bbox": "head/ag_loc"}  # fmt: skip
    parts = {"weight": "conv/W", "gamma": "bn/gamma", "beta": "bn/beta", "moving_mean": "bn/avg_mean",
             "moving_var": "bn/avg_var"}  # fmt: skip
    branches = {"1": "residual_conv", "2a": "conv1", "2b": "conv2", "2c": "conv3"}
    for key, values in arrays.items():
        name = key.split(":")[1]
        if name.endswith("_test"):
            continue
        for head, theirs in heads.items():
            if name.startswith(head):
                rest = values.shape[1:]
                if head == "rpn_cls_score":
                    values = np.stack(np.split(values, 2), axis=1).reshape(-1, *rest)
                if head in ("rpn_bbox_pred", "fcis_bbox"):
                    each = 1 if head == "rpn_bbox_pred" else 49
                    dx, dy, dw, dh = (values.reshape(-1, 4, each, *rest)[:, i] for i in range(4))
                    values = np.stack([dy, dx, dh, dw], axis=1).reshape(-1, *rest)
                found[f"{theirs}/{'W' if name.endswith('weight') else 'b'}"] = values
        if match := re.fullmatch(r"(?:bn_)?conv1_(\w+)", name):
            found[f"extractor/conv1/{parts[match[1]]}"] = values
        if match := re.fullmatch(r"(?:res|bn)(\d)([abc])(\d*)_branch(1|2[abc])_(\w+)", name):
            stage, letter, number, branch, part = match.groups()
            block = {"a": "a", "b": f"b{number or 1}", "c": "b2"}[letter]
            prefix = f"extractor/res{stage}/{block}/{branches[branch]}"
            found[f"{prefix}/{parts[part]}"] = values
            found[f"{prefix}/bn/N"] = np.array(0)
    return found


def deep(arrays):
    """The arrays of the small network with the blocks of a deep one."""
    found = {key: values for key, values in arrays.items() if not re.match(r"\w+:(res|bn)4[b-f]|\w+:(res|bn)3[b-d]", key)}
    for stage, blocks, last in ((3, 4, "d"), (4, 23, "f")):
        for key, values in arrays.items():
            if match := re.fullmatch(rf"(\w+:)(res|bn)({stage}){last}(_.*)", key):
                found |= {f"{match[1]}{match[2]}{stage}b{i}{match[4]}": values + i for i in range(1, blocks)}
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chainercv")
    arrays = deep(small_released())
    write_params(folder / "small.params", arrays)
    np.savez_compressed(folder / "small.npz", **to_chainercv(arrays))
    return folder, dataclasses.replace(SMALL, backbone="resnet101")


def test_recognise_chainercv_equals_the_released_network(both):
    folder, config = both
    theirs, converted = (recognise(folder / f"small.{suffix}", config) for suffix in ("params", "npz"))
    assert (theirs.kind, converted.kind) == ("FCIS, MXNet .params", "FCIS, ChainerCV .npz")
    theirs, converted = dict(theirs.tensors), dict(converted.tensors)
    assert theirs.keys() == converted.keys()
    for name, values in theirs.items():
        assert np.array_equal(converted[name], values), name


@pytest.mark.parametrize(
    "name",
    ["extractor/res4/b23/conv2/conv/W", "extractor/res6/a/conv2/conv/W", "extractor/res2/a/conv4/conv/W",
     "extractor/conv2/conv/W", "head/ag_loc/gamma", "fc6/W"],
)  # fmt: skip
def test_released_name_of_another_network_is_unchanged(name):
    assert chainercv.released_name(name) == name


def test_recognise_missing_and_unknown_arrays_are_named(both, tmp_path):
    folder, config = both
    stored = {name: array.load() for name, array in npz.read(folder / "small.npz").items()}
    path = tmp_path / "spoilt.npz"
    np.savez(path, **{**stored, "extractor/res4/b23/conv1/conv/W": np.ones(1)})
    with pytest.raises(InputError, match="'extractor/res4/b23/conv1/conv/W' is no parameter"):
        recognise(path, config)
    stored.pop("extractor/res4/b22/conv1/conv/W")
    np.savez(path, **stored)
    with pytest.raises(InputError, match="res4b22_branch2a_weight is missing"):
        recognise(path, config)
