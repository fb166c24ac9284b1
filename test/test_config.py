import dataclasses
import json
from pathlib import Path

import pytest

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError

ROAD = ModelConfig(class_names=("car", "pedestrian"))


def test_round_trip_through_json_types():
    values = {key: list(v) if isinstance(v, tuple) else v for key, v in ROAD.to_dict().items()}
    assert ModelConfig.from_dict(values) == ROAD


def test_defaults_are_the_released_model():
    assert (ROAD.backbone, ROAD.bins, ROAD.grid, ROAD.num_anchors, ROAD.num_classes) == ("resnet101", 7, 21, 12, 3)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"backbone": "vgg16"}, "vgg16"),
        ({"assemble": "warp"}, "warp"),
        ({"voting": "none"}, "voting"),
        ({"pool1": "same"}, "pool1"),
        ({"mask_output": "polygon"}, "mask_output"),
        ({"grid": 20}, "grid 20"),
        ({"rounds": 3}, "rounds"),
        ({"nms": 1.5}, "nms"),
        ({"width": 0}, "width"),
        ({"class_names": ()}, "class_names"),
        ({"class_names": ("car", "car")}, "class_names"),
    ],
)
def test_bad_value_is_named(change, named):
    with pytest.raises(InputError, match=named):
        dataclasses.replace(ROAD, **change)


def test_unknown_and_missing_keys_are_named():
    with pytest.raises(InputError, match="colour"):
        ModelConfig.from_dict({"class_names": ["car"], "colour": 1})
    with pytest.raises(InputError, match="class_names"):
        ModelConfig.from_dict({})
    with pytest.raises(InputError, match="model config"):
        ModelConfig.from_dict({"class_names": ["car"], "width": "wide"})


def test_read(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(ROAD.to_dict()))
    assert ModelConfig.read(path) == ROAD
    path.write_text('{"class_names": ["car"], "backbone": "vgg16"}')
    with pytest.raises(InputError, match="model.json: model config: backbone 'vgg16'"):
        ModelConfig.read(path)


@pytest.mark.parametrize(
    ("text", "problem"), [("{", "not JSON"), ("[]", "not a JSON object"), ("\xff", "not JSON"), (None, "No such")]
)
def test_read_says_which_file_is_no_configuration(tmp_path, text, problem):
    path = tmp_path / "model.json"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=f"model config .*model.json: {problem}"):
        ModelConfig.read(path)


MODELS = Path(__file__).resolve().parents[1] / "config" / "models"
PUBLISHED = {  # classes with background, anchors: tables 1.4 and 1.9 of the released configurations, and this project's own
    "resnet101_coco": (81, 12),
    "resnet101_voc": (21, 9),
    "resnet50_coco": (81, 12),
    "resnet18_coco": (81, 12),
    "resnet50_cityscapes": (9, 12),
    "resnet18_road": (4, 12),
}


def test_every_published_configuration_is_tested():
    assert {path.stem for path in MODELS.iterdir()} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configurations_say_everything_and_run(name):
    import torch

    from fcis_ros.model.fcis import FCIS
    from fcis_ros.model.preprocess import Original

    path = MODELS / f"{name}.json"
    config = ModelConfig.read(path)
    assert set(json.loads(path.read_text())) == {field.name for field in dataclasses.fields(ModelConfig)}
    assert (config.num_classes, config.num_anchors) == PUBLISHED[name]
    torch.manual_seed(0)
    (found,) = FCIS(config).eval()(torch.randn(1, 3, 70, 90), [Original(140, 180, 0.5)])
    assert found.scores.shape == (config.max_instances,) and found.labels.max() <= len(config.class_names)


def test_the_released_models_differ_in_what_their_configurations_say():
    coco, voc = (ModelConfig.read(MODELS / f"resnet101_{name}.json") for name in ("coco", "voc"))
    changed = {"class_names", "anchor_scales", "rpn_min_size"}
    assert dataclasses.replace(coco, **{field: getattr(voc, field) for field in changed}) == voc
    assert dataclasses.replace(ModelConfig(coco.class_names), mask_output="released") == coco
    assert (voc.anchor_scales, voc.rpn_min_size) == ((8, 16, 32), 16)


def test_the_default_checkpoint_is_the_published_road_model():
    from fcis_ros.model import checkpoint
    from fcis_ros.training.config import TrainConfig

    road = ModelConfig.read(MODELS / "resnet18_road.json")
    assert checkpoint.read_metadata(checkpoint.default_checkpoint())[0] == road
    assert TrainConfig.read(MODELS.parent / "train_road.json").model == road
