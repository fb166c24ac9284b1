# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.config import BACKBONES, ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.preprocess import Original
from fcis_ros.ops.layout import padded_classes
from fcis_ros.training.train_config import TrainConfig

ROAD = ModelConfig(class_names=("car", "pedestrian"))
SETTINGS = [setting.name for setting in dataclasses.fields(ModelConfig)]


def test_model_config_defaults_are_the_released_model():
    assert (ROAD.backbone, ROAD.bins, ROAD.grid, ROAD.num_anchors, ROAD.num_classes) == ("resnet101", 7, 21, 12, 3)


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("backbone", "vgg16", "one of resnet18, resnet34, .*, efficientnet_lite1, efficientnet_lite2, not 'vgg16'"),
        ("backbone", ["resnet18"], "one of .*, not \\('resnet18',\\)"),
        ("assemble", "warp", "one of grid, native, not 'warp'"),
        ("more_bins", (0,), "at most 4 whole numbers in 1..32, not \\(0,\\)"),
        ("more_bins", (1,) * 5, "at most 4 whole numbers"),
        ("more_bins", "12", "at most 4 whole numbers"),
        ("bins", 0, "a whole number in 1..32, not 0"),
        ("bins", True, "a whole number in 1..32, not True"),
        ("width", 0, "a whole number in 1..512, not 0"),
        ("width", 64.0, "a whole number in 1..512, not 64.0"),
        ("stride", 32, "8 or 16, not 32"),
        ("stride", 16.0, "8 or 16, not 16.0"),
        ("stride", True, "8 or 16, not True"),
        ("features", "fpn", "one of c5, pyramid, not 'fpn'"),
        ("pyramid_channels", 4, "a whole number in 8..1024, not 4"),
        ("short_side", 10**9, "a whole number in 3..4096, not 1000000000"),
        ("stride_in_1x1", 1, "true or false, not 1"),
        ("nms", 1.5, "a number in 0..1, not 1.5"),
        ("score_floor", float("nan"), "a number in 0..1, not nan"),
        ("rpn_min_size", float("inf"), "a number in 0..8192, not inf"),
        ("mask_threshold", False, "a number in 0..1, not False"),
        ("mean", [123.0], "3 numbers in -1000..1000, not \\(123.0,\\)"),
        ("mean", 123.0, "3 numbers in -1000..1000, not 123.0"),
        ("mean", [[1], [2], [3]], "3 numbers in -1000..1000"),
        ("std", [58.0, 0, 56.0], "3 numbers in 0.001..1000, not \\(58.0, 0, 56.0\\)"),
        ("box_stds", [0.1, 0.1, 0.2, -0.2], "4 numbers in 0.001..100"),
        ("anchor_scales", [], "1..32 numbers in 0.0625..512, not \\(\\)"),
        ("anchor_ratios", [1, "2"], "1..32 numbers in 0.01..100, not \\(1, '2'\\)"),
        ("class_names", [], "1..4095 different names of 1..100 printable characters, not \\(\\)"),
        ("class_names", "car", "1..4095 different names"),
        ("class_names", [1, 2], "1..4095 different names"),
        ("class_names", ["car", "car"], "1..4095 different names"),
        ("class_names", [""], "1..4095 different names"),
        ("class_names", ["car\n"], "1..4095 different names"),
        ("class_names", ["\ud800"], "1..4095 different names"),
        ("class_names", [str(i) for i in range(10000)], "1..4095 different names"),
    ],
)
def test_model_config_bad_value_is_named_in_one_line(field, value, wanted):
    with pytest.raises(InputError, match=f"^model config: {field} must be {wanted}") as refusal:
        ModelConfig.from_dict({"class_names": ["car"], field: value})
    assert len(str(refusal.value)) < 250 and str(refusal.value).isprintable()


def test_model_config_contradicting_values_are_refused():
    with pytest.raises(InputError, match="grid 20 is not a multiple of bins 7"):
        dataclasses.replace(ROAD, grid=20)
    with pytest.raises(InputError, match="grid 21 is not a multiple of bins 4"):
        dataclasses.replace(ROAD, more_bins=(4,))
    with pytest.raises(InputError, match="200 class_names and 32 bins make 411648 channels of score maps, at most 131072"):
        ModelConfig(tuple(str(i) for i in range(200)), bins=32, grid=32)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"pyramid_channels": 64}, "pyramid_channels has no effect with resnet101, features c5"),
        ({"backbone": "efficientnet_lite0", "width": 32}, "width has no effect with efficientnet_lite0, features c5"),
        ({"backbone": "efficientnet_lite1", "pool1": "pad1_floor"}, "pool1 has no effect with efficientnet_lite1"),
        ({"backbone": "efficientnet_lite2", "stride_in_1x1": False}, "stride_in_1x1 has no effect with efficientnet_lite2"),
        ({"features": "pyramid", "short_side": 31}, "short_side must be at least the largest stride, 32, not 31"),
        ({"backbone": "efficientnet_lite0", "short_side": 15}, "short_side must be at least the largest stride, 16, not 15"),
        ({"backbone": "efficientnet_lite0", "stride": 8, "short_side": 7}, "at least the largest stride, 8, not 7"),
    ],
)
def test_model_config_settings_that_do_not_go_together_are_named_in_one_line(changes, wanted):
    with pytest.raises(InputError, match=f"^model config: .*{wanted}") as refusal:
        dataclasses.replace(ROAD, **changes)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    ("stride", "features", "strides"),
    [(16, "c5", (8, 16, 16)), (8, "c5", (8, 8, 8)), (16, "pyramid", (8, 16, 32)), (8, "pyramid", (8, 16, 32))],
)
def test_model_config_level_strides_follow_from_stride_and_features(stride, features, strides):
    assert dataclasses.replace(ROAD, stride=stride, features=features).level_strides == strides


def test_model_config_of_an_earlier_release_is_a_dilated_resnet_at_stride_16():
    values = {name: value for name, value in ROAD.to_dict().items() if name not in ("stride", "features", "pyramid_channels")}
    assert ModelConfig.from_dict(json.loads(json.dumps(values))) == ROAD
    assert (ROAD.stride, ROAD.features, ROAD.level_strides) == (16, "c5", (8, 16, 16))


def test_model_config_unknown_and_missing_keys_are_named():
    with pytest.raises(InputError, match="unknown key 'colour'"):
        ModelConfig.from_dict({"class_names": ["car"], "colour": 1})
    with pytest.raises(InputError, match="missing key 'class_names'"):
        ModelConfig.from_dict({})
    with pytest.raises(InputError, match="not a JSON object but 'model.json'"):
        ModelConfig.from_dict("model.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["resnet18", "grid"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NUMBERS = st.lists(st.integers(-1, 40) | st.floats(-1, 40), max_size=5)
NEARLY = {"class_names": st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5)} | {
    name: st.integers(-1, 40) | st.integers(1, 9000) | st.floats(-0.1, 1.1) | NUMBERS | st.booleans() | JSON
    for name in SETTINGS
    if name != "class_names"
}


@given(st.dictionaries(st.sampled_from([*SETTINGS, "colour"]), JSON) | st.fixed_dictionaries({}, optional=NEARLY) | JSON)
def test_model_config_any_json_is_refused_or_round_trips(values):
    try:
        config = ModelConfig.from_dict(values)
    except InputError as error:
        assert str(error).startswith("model config: ") and str(error).isprintable()
    else:
        assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


SHAPING = {  # what decides the network's shapes, up to the largest values that are allowed
    "class_names": st.integers(1, 4095).map(lambda count: tuple(map(str, range(count)))),
    "backbone": st.sampled_from([*BACKBONES]),
    "width": st.sampled_from([1, 3, 64, 512]),
    "stride_in_1x1": st.booleans(),
    "stride": st.sampled_from([8, 16]),
    "features": st.sampled_from(["c5", "pyramid"]),
    "pyramid_channels": st.sampled_from([8, 128, 1024]),
    "reduced_channels": st.sampled_from([1, 1024, 8192]),
    "rpn_channels": st.sampled_from([1, 512, 8192]),
    "bins": st.integers(1, 32),
    "more_bins": st.lists(st.integers(1, 8), max_size=3),
    "grid": st.integers(1, 128),
    "anchor_scales": st.lists(st.floats(0.0625, 512), min_size=1, max_size=32),
    "anchor_ratios": st.lists(st.floats(0.01, 100), min_size=1, max_size=32),
}


@given(st.fixed_dictionaries({}, optional=SHAPING))
def test_model_config_accepted_one_is_a_network(values):
    try:
        config = dataclasses.replace(ROAD, **values)
    except InputError as error:
        assert any(word in str(error) for word in ("multiple", "channels", "no effect"))  # each value alone is allowed
        return
    model = checkpoint.blueprint(config)
    assert model.score_maps.score.out_channels == config.bin_count * padded_classes(config.num_classes) * 2
    assert model.rpn.anchors.shape == (config.num_anchors, 4) and model.rpn.anchors.isfinite().all()
    assert (model.rpn.anchors[:, 2:] - model.rpn.anchors[:, :2] > -1).all()  # first and last pixel: a size above zero


def test_model_config_read_fills_in_defaults(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(ROAD.to_dict()))
    assert ModelConfig.read(path) == ROAD
    path.write_text('{"class_names": ["car"], "backbone": "vgg16"}')
    with pytest.raises(InputError, match="model.json: model config: backbone must be one of"):
        ModelConfig.read(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("\xff", "not JSON"),
        ("", "not JSON"),
        ('{"nms": NaN}', "not JSON \\(a number that is nan\\)"),
        ('{"nms": 1e999}', "not JSON \\(a number that is inf\\)"),
        ('{"nms": ' + "9" * 5000 + "}", "not JSON"),
        ('{"nms": ' + "[" * 100 + "]" * 100 + "}", "JSON that is nested more than 32 deep"),
        ('{"nms": ' + "[" * 100_000, "JSON that is nested more than 32 deep"),
        (None, "No such"),
    ],
)
def test_model_config_read_bad_file_is_named(tmp_path, text, problem):
    path = tmp_path / "model.json"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=f"model config .*model.json: {problem}"):
        ModelConfig.read(path)


MODELS = Path(__file__).resolve().parents[1] / "config" / "models"
PUBLISHED = {  # classes with background, anchors: tables 1.4 and 1.9 of the released configurations, and this project's
    "resnet101_coco": (81, 12),
    "resnet101_voc": (21, 9),
    "resnet50_coco": (81, 12),
    "resnet18_coco": (81, 12),
    "resnet50_cityscapes": (9, 12),
    "resnet18_road": (4, 12),
    "resnet18_coco_driving": (8, 12),
    "efficientnet_lite0_road": (4, 12),
}


@pytest.mark.parametrize("name", sorted({*PUBLISHED, *(path.stem for path in MODELS.iterdir())}))
def test_published_config_is_complete_and_runs(name):
    path = MODELS / f"{name}.json"
    config = ModelConfig.read(path)
    assert set(json.loads(path.read_text())) == set(SETTINGS) - set(config.without_effect)
    assert (config.num_classes, config.num_anchors) == PUBLISHED[name]
    torch.manual_seed(0)
    (found,) = FCIS(config).eval()(torch.randn(1, 3, 70, 90), [Original(140, 180, 0.5)])
    assert found.scores.shape == (config.max_instances,) and found.labels.max() <= len(config.class_names)


def test_released_configs_differ_in_classes_and_anchors():
    coco, voc = (ModelConfig.read(MODELS / f"resnet101_{name}.json") for name in ("coco", "voc"))
    changed = {"class_names", "anchor_scales", "rpn_min_size"}
    assert dataclasses.replace(coco, **{field: getattr(voc, field) for field in changed}) == voc
    assert dataclasses.replace(ModelConfig(coco.class_names), mask_output="released") == coco
    assert (voc.anchor_scales, voc.rpn_min_size) == ((8, 16, 32), 16)


@pytest.mark.parametrize(
    ("weights", "model", "recipe"),
    [
        (checkpoint.default_checkpoint().name, "efficientnet_lite0_road", "train_road"),
        ("fcis_road_r18.safetensors", "resnet18_road", "train_road_r18"),
    ],
)
def test_packaged_checkpoint_has_the_published_config(weights, model, recipe):
    road = ModelConfig.read(MODELS / f"{model}.json")
    assert checkpoint.read_metadata(MODELS.parents[1] / "weights" / weights)[0] == road
    assert TrainConfig.read(MODELS.parent / f"{recipe}.json").model == road
