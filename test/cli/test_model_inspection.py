# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is said about checkpoints and configurations."""

import json

import pytest
import safetensors.torch
import torch
from cli_inputs import CONFIG, damaged

from fcis_ros.cli.model_inspection import inspect_checkpoint, inspect_model_config, inspect_package, inspect_training_config
from fcis_ros.errors import InputError
from fcis_ros.files import sha256


def test_inspect_checkpoint_facts_are_those_of_the_file(model, tmp_path):
    data = {"annotations": "road.json", "images": 3, "findings": [{"source": "a", "text": "b", "lost": True}]}
    about = {"steps": 7, "data": data, "init": [{"file": "first.safetensors", "sha256": "0", "provenance": None}]}
    path = damaged(model, tmp_path / "trained.safetensors", provenance=json.dumps(about))
    inspection = inspect_checkpoint(path)
    tensors = safetensors.torch.load_file(path)
    assert inspection.facts["classes"] == ["car", "pedestrian", "bicyclist"]
    assert (inspection.facts["sha256"], inspection.facts["trained for steps"]) == (sha256(path), 7)
    assert inspection.facts["initial weights"] == "first.safetensors"
    assert inspection.facts["trained on"] == "3 images of road.json" and inspection.facts["findings of its training"] == 1
    assert 0.9 * sum(tensor.numel() for tensor in tensors.values()) < inspection.facts["parameters"]
    assert inspection.uses["predict, evaluate, evaluate-bag, demo, node"].startswith("runs on ")


@pytest.mark.parametrize("provenance", ["{}", '{"data": 3, "steps": [1], "init": [3]}', '{"data": {"findings": 3}, "init": 7}'])
def test_inspect_checkpoint_any_provenance_is_described(model, tmp_path, provenance):
    json.dumps(dict(inspect_checkpoint(damaged(model, tmp_path / "odd.safetensors", provenance=provenance)).facts))


def test_inspect_checkpoint_damaged_weights_are_refused(model, tmp_path):
    tensors = safetensors.torch.load_file(model)
    name, tensor = next((name, tensor) for name, tensor in tensors.items() if tensor.is_floating_point())
    path = damaged(model, tmp_path / "nan.safetensors", **{name: torch.full_like(tensor, float("nan"))})
    with pytest.raises(InputError, match="not finite"):
        inspect_checkpoint(path)


def test_inspect_checkpoint_other_weights_are_a_start_for_training(tmp_path):
    safetensors.torch.save_file({"conv1.weight": torch.zeros(2)}, tmp_path / "resnet.safetensors")
    inspection = inspect_checkpoint(tmp_path / "resnet.safetensors")
    assert inspection.kind == "weights" and [*inspection.uses] == ["train"] and not inspection.findings[0].lost


def test_inspect_package_damaged_file_is_refused(tmp_path):
    (tmp_path / "a.pt2").write_bytes(b"no zip")
    with pytest.raises(InputError, match="not a readable package"):
        inspect_package(tmp_path / "a.pt2")


def test_inspect_training_config_says_what_train_would_do(tmp_path):
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"model": CONFIG.to_dict(), "steps": 30, "batch": 2, "synthetic": 0.5}))
    inspection = inspect_training_config(path)
    assert inspection.facts["images in all"] == 60 and inspection.facts["rendered images"] == "50%"
    assert inspection.uses["train"].startswith("computes on ")
    path.write_text(json.dumps({"model": CONFIG.to_dict(), "steps": 30, "frozen_stages": 1}))
    assert "; frozen_stages 1 needs --init: random weights would" in inspect_training_config(path).uses["train"]
    others = {**CONFIG.to_dict(), "class_names": ["forklift"]}
    path.write_text(json.dumps({"model": others, "steps": 30}))
    assert "needs --annotations and --synthetic 0" in inspect_training_config(path).uses["train"]
    path.write_text(json.dumps({"model": others, "steps": 0}))
    with pytest.raises(InputError, match="steps must be a whole number above 0"):
        inspect_training_config(path)


@pytest.mark.parametrize(
    ("changes", "network"),
    [
        ({"backbone": "resnet18", "width": 8}, "resnet18, width 8, conv5 at stride 16"),
        (
            {"backbone": "efficientnet_lite0", "features": "pyramid", "stride": 8, "pyramid_channels": 96},
            "efficientnet_lite0, a pyramid of 96 channels at stride 8",
        ),
    ],
)
def test_inspect_model_config_names_backbone_features_and_stride(tmp_path, changes, network):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"class_names": ["car"], **changes}))
    assert inspect_model_config(path).facts["network"] == f"{network}, grid assembly, released voting"


def test_inspect_model_config_counts_the_parameters(tmp_path, model):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(CONFIG.to_dict()))
    assert inspect_model_config(path).facts["parameters"] == inspect_checkpoint(model).facts["parameters"]
