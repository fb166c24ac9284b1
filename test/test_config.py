import dataclasses

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
