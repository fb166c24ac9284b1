import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS

TINY = ModelConfig(class_names=("car", "pedestrian"), backbone="resnet18", width=4, reduced_channels=8, rpn_channels=8)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "tiny.safetensors"
    torch.manual_seed(0)
    model = FCIS(TINY)
    checkpoint.save(path, model, {"data": "none"})
    return path, model


def rewrite(path, tensors=None, **metadata):
    values = {"format_version": checkpoint.FORMAT_VERSION, "config": json.dumps(TINY.to_dict()), **metadata}
    save_file(tensors or load_file(path), path, {k: v for k, v in values.items() if v is not None})


def test_round_trip(saved, tmp_path):
    path, model = saved
    loaded = checkpoint.load(path)
    assert loaded.config == TINY and not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert checkpoint.read_metadata(path) == (TINY, {"data": "none"})
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.safetensors"]  # nothing aside is left


def test_missing(tmp_path):
    with pytest.raises(InputError, match="nowhere.safetensors: no such file"):
        checkpoint.load(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 100, -10])
def test_truncated(saved, keep):
    path, _ = saved
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="not a readable safetensors file"):
        checkpoint.load(path)


def test_a_pickle_is_not_read(tmp_path):
    path = tmp_path / "model.safetensors"
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(InputError, match="not a readable safetensors file"):
        checkpoint.load(path)


def test_not_ours(saved):
    path, _ = saved
    rewrite(path, format_version=None)
    with pytest.raises(InputError, match="not an fcis_ros checkpoint"):
        checkpoint.load(path)


def test_other_version(saved):
    path, _ = saved
    rewrite(path, format_version="1")
    with pytest.raises(InputError, match="format version 1, this release reads version 2"):
        checkpoint.load(path)


@pytest.mark.parametrize("config", ["{", "[]", '{"class_names": []}', '{"class_names": ["a"], "colour": 1}'])
def test_bad_config(saved, config):
    path, _ = saved
    rewrite(path, config=config)
    with pytest.raises(InputError, match="tiny.safetensors"):
        checkpoint.load(path)


def test_class_count_that_does_not_fit(saved):
    path, _ = saved
    rewrite(path, config=json.dumps({**TINY.to_dict(), "class_names": ["car", "pedestrian", "bicyclist"]}))
    with pytest.raises(InputError, match="score_maps.score.* has shape .* its 3 classes"):
        checkpoint.load(path)


def test_missing_unexpected_and_non_finite_tensors(saved):
    path, _ = saved
    tensors = load_file(path)
    name = "score_maps.box.bias"
    rewrite(path, {k: v for k, v in tensors.items() if k != name})
    with pytest.raises(InputError, match=f"{name} is missing"):
        checkpoint.load(path)
    rewrite(path, {**tensors, "extra": torch.zeros(1)})
    with pytest.raises(InputError, match="unexpected tensor extra"):
        checkpoint.load(path)
    rewrite(path, {**tensors, name: tensors[name] * float("nan")})
    with pytest.raises(InputError, match=f"{name} holds values that are not finite"):
        checkpoint.load(path)
