# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``fcis info``: what a checkpoint says of itself, and what this machine would do with it."""

import json

import pytest
import torch
from cli_inputs import damaged, refused

from fcis_ros.cli.main import main
from fcis_ros.config import ModelConfig


def test_info_describes_the_checkpoint(model, capsys):
    assert main(["info", str(model)]) == 0
    text = capsys.readouterr().out
    for part in ("car, pedestrian, bicyclist", "resnet18", "nothing at all", torch.__version__, "device"):
        assert part in text
    assert main(["info", str(model), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["config"]["width"] == 8


def test_info_names_the_settings_that_the_network_has(model, tmp_path, capsys):
    config = ModelConfig(("car",), backbone="efficientnet_lite0", features="pyramid", stride=8, pyramid_channels=96)
    path = damaged(model, tmp_path / "lite.safetensors", config=json.dumps(config.to_dict()))
    assert main(["info", str(path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for shown in (["backbone", "efficientnet_lite0"], ["stride", "8"], ["features", "pyramid"], ["pyramid_channels", "96"]):
        assert shown in lines
    assert not {"width", "pool1", "stride_in_1x1"} & {line[0] for line in lines if line}


@pytest.mark.parametrize("value", [0, -1.5, True, None, "", "a\nb\x1b[2J\ud800", [], [1, [2]], {"a": {"b": []}}, "x" * 10000])
def test_info_any_provenance_is_printed(value, model, tmp_path, capsys):
    """One line per entry, whatever is in it, and nothing that a terminal would obey."""
    path = damaged(model, tmp_path / "odd.safetensors", provenance=json.dumps({"note\n": value, "last": 1}))
    assert main(["info", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = lines.index("provenance:")
    assert lines[first + 1].startswith("  note\\n") and lines[first + 2].split() == ["last", "1"]
    assert all(line.isprintable() for line in lines)
    assert main(["info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"] == {"note\n": value, "last": 1}


@pytest.mark.parametrize("key", ["config", "provenance"])
@pytest.mark.parametrize("text", ["", "[]", "7", "NaN", "[" * 50_000, '{"class_names": 5, "a": 1e999}'])
def test_info_hostile_metadata_is_refused_in_one_line(key, text, model, tmp_path, capfd):
    refused(capfd, ["info", damaged(model, tmp_path / "bad.safetensors", **{key: text})], "bad.safetensors", key)


@pytest.mark.parametrize(("unit", "precision"), [("amx_bf16", "bf16"), (None, "fp32")])
def test_info_explains_auto(model, capsys, monkeypatch, unit, precision):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("fcis_ros.model.device.cpu_bf16_unit", lambda: unit)
    assert main(["info", str(model)]) == 0
    text = capsys.readouterr().out
    assert f"device: cpu (PyTorch sees no CUDA device)\nprecision: {precision} (the CPU has {unit or 'none of'}" in text
    assert main(["info", str(model), "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert (about["device"], about["precision"]) == ("cpu", precision)
    assert about["why"]["device"] == "PyTorch sees no CUDA device" and (unit or "none of") in about["why"]["precision"]
