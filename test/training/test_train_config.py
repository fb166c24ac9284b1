# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
from pathlib import Path

import pytest

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.training.train_config import TrainConfig

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "config").glob("train_*.json"))
PLAIN = TrainConfig(ModelConfig(class_names=("a",)), steps=1)
LITE = ModelConfig(class_names=("a",), backbone="efficientnet_lite0", stride=8, features="pyramid")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_train_config_packaged_files_are_complete(path):
    config = TrainConfig.read(path)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("name", "gpus", "drop", "rois", "background"), [("coco", 8, 5.33 / 8, 0, 0.0), ("voc", 4, 14 / 22, 128, 0.1)]
)
def test_train_config_released_recipes_have_their_values(name, gpus, drop, rois, background):
    """Of images on so many GPUs, whose gradients were added up: the rate for their mean is N times theirs, the decay an Nth."""
    config = TrainConfig.read(CONFIGS[0].parent / f"train_resnet101_{name}.json")
    assert config.batch == gpus
    assert config.lr == pytest.approx(5e-4 * gpus) and config.weight_decay == pytest.approx(5e-4 / gpus)
    assert config.milestones == pytest.approx((drop,), abs=1e-4)
    assert (config.roi_samples, config.background_iou, config.ohem, config.mask_weight) == (rois, background, 128, 10.0)
    assert config.frozen_stages == 2 and config.frozen_norm and config.decay_norm and config.reduce_lr == 3.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "run.json: No such file"),
        ("{", "not JSON"),
        ('{"model": {"class_names": ["a"]}, "steps": 1, "color": 2}', "color"),
        ('{"model": {"class_names": ["a"]}}', "missing key 'steps'"),
        ('{"model": 3, "steps": 1}', "model is not an object"),
    ],
)
def test_train_config_bad_file_names_the_error(tmp_path, text, says):
    path = tmp_path / "run.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=says):
        TrainConfig.read(path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": 0}, "steps must be a whole number above 0, not 0"),
        ({"batch": 2.5}, "batch"),
        ({"seed": -1}, "seed"),
        ({"roi_samples": -1}, "roi_samples must be a whole number from 0"),
        ({"background_iou": 2}, "background_iou must lie in 0..1"),
        ({"warmup_rate": 1.5}, "warmup_rate must be null or lie in 0..1"),
        ({"lr": float("nan")}, "lr must be a number from 0"),
        ({"lr": float("inf")}, "lr must be a number from 0"),
        ({"lr": "fast"}, "lr"),
        ({"ema": 1.5}, "ema must lie in 0..1"),
        ({"frozen_stages": 6}, "frozen_stages must be one of 0 to 5, not 6"),
        ({"frozen_stages": -1}, "frozen_stages must be a whole number from 0, not -1"),
        ({"model": LITE, "frozen_stages": 9}, "frozen_stages must be one of 0 to 8, not 9"),
        ({"frozen_norm": 1}, "frozen_norm must be true or false"),
        ({"backbone_lr": -0.1}, "backbone_lr must be a number from 0, not -0.1"),
        ({"optimizer": "adam"}, "optimizer 'adam' is not one of sgd, adamw"),
        ({"optimizer": ["sgd"]}, "optimizer .* is not one of sgd, adamw"),
        ({"optimizer": "adamw", "momentum": 1}, "momentum must be below 1 for adamw"),
        ({"schedule": "linear"}, "schedule 'linear' is not one of steps, cosine"),
        ({"schedule": "cosine", "milestones": (0.5,)}, "milestones have no effect with schedule cosine"),
        ({"precision": "fp16"}, "precision 'fp16' is not one of auto, fp32, bf16"),
        ({"milestones": (-0.5,)}, "milestones"),
        ({"crop": (480,)}, "crop must be a height and a width"),
        ({"crop": (480, 10**400)}, "crop must be a height and a width of 1 to 32768 pixels"),
        ({"lr": 10**400}, "lr must be a number from 0"),
        ({"crop": 480}, "crop"),
        ({"crop": (96, 15)}, r"crop must be at least the largest stride, 16, not \(96, 15\)"),
        ({"model": LITE, "crop": (31, 96)}, r"crop must be at least the largest stride, 32, not \(31, 96\)"),
        ({"scale_jitter": (1.4, 0.7)}, "scale_jitter must be a minimum and a maximum factor"),
    ],
)
def test_train_config_invalid_value_raises(changes, says):
    with pytest.raises(InputError, match=says):
        dataclasses.replace(PLAIN, **changes)
