# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import params_writer
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from fcis_ros.cli.main import main
from fcis_ros.model import checkpoint
from fcis_ros.model.weights_import import released


@pytest.fixture
def small(tmp_path):
    params_writer.write_params(tmp_path / "small.params", params_writer.small_released())
    (tmp_path / "small.json").write_text(json.dumps(params_writer.SMALL.to_dict()))
    return tmp_path


def test_import_weights_params_become_a_checkpoint(small, capsys):
    out = small / "small.safetensors"
    assert main(["import-weights", str(small / "small.params"), str(out), "--config", str(small / "small.json")]) == 0
    assert capsys.readouterr().out.startswith("FCIS, MXNet .params: 2 classes, 6 anchors, 0.0 M numbers -> ")
    model = checkpoint.load(out)
    assert model.config == params_writer.SMALL
    expected = params_writer.small_released()["arg:res5c_branch2b_weight"]
    assert np.array_equal(model.state_dict()["backbone.layer4.2.conv2.weight"].numpy(), expected)
    provenance = checkpoint.read_metadata(out)[1]
    assert provenance["imported_from"] == "small.params" and len(provenance["sha256"]) == 64
    assert {path.name for path in small.iterdir()} == {"small.params", "small.json", "small.safetensors"}


def test_import_weights_imagenet_classifier_becomes_a_backbone(tmp_path, capsys):
    expected = released.backbone_parameters("resnet50")
    params_writer.write_params(tmp_path / "r.params", {n: np.ones(one.shape, np.float16) for n, one in expected.items()})
    assert main(["import-weights", str(tmp_path / "r.params"), str(tmp_path / "r.safetensors")]) == 0
    assert "ImageNet resnet50, MXNet .params: backbone, 23.6 M numbers" in capsys.readouterr().out
    tensors = load_file(tmp_path / "r.safetensors")
    assert tensors["layer1.0.downsample.0.weight"].dtype == np.float32
    with safe_open(tmp_path / "r.safetensors", "np") as file:
        assert file.metadata()["kind"] == "ImageNet resnet50, MXNet .params"


def failure(capsys, *arguments) -> str:
    assert main(["import-weights", *map(str, arguments)]) == 2
    line = capsys.readouterr().err
    assert line.startswith("fcis: ") and line.count("\n") == 1
    return line


def test_import_weights_error_is_one_line_and_nothing_is_written(small, capsys):
    source, config = small / "small.params", ["--config", small / "small.json"]
    assert "has to end with .safetensors" in failure(capsys, source, small / "small.params", *config)
    assert "there is no folder" in failure(capsys, source, small / "nowhere" / "x.safetensors", *config)
    assert "--config" in failure(capsys, source, small / "x.safetensors")
    assert "no such file" in failure(capsys, small / "none.params", small / "x.safetensors")
    source.write_bytes(source.read_bytes()[:-100])
    assert "truncated or damaged" in failure(capsys, source, small / "x.safetensors", *config)
    arrays = params_writer.small_released()
    arrays["arg:fcis_bbox_bias"][-1] = np.nan
    params_writer.write_params(source, arrays)
    assert "fcis_bbox_bias holds values that are not finite" in failure(capsys, source, small / "x.safetensors", *config)
    (small / "x.safetensors").mkdir()
    params_writer.write_params(source, params_writer.small_released())
    assert "x.safetensors: cannot be written" in failure(capsys, source, small / "x.safetensors", *config)
    assert {path.name for path in small.iterdir()} == {"small.params", "small.json", "x.safetensors"}


def test_import_weights_config_with_an_imagenet_resnet_is_refused(small, capsys, monkeypatch):
    """Of which the backbone alone is taken."""
    from fcis_ros.model.weights_import import recognise

    classifier = recognise.Recognised("ImageNet resnet50, MXNet .params", None, iter(()), 0)
    monkeypatch.setattr(recognise, "recognise", lambda path, config: classifier)
    line = failure(capsys, small / "small.params", small / "x.safetensors", "--config", small / "small.json")
    assert "--config is of an FCIS network;" in line and "holds ImageNet resnet50" in line


def test_predict_raw_writes_the_intermediate_outputs(small, capsys):
    import cv2

    image, raw = small / "image.png", small / "raw.npz"
    cv2.imwrite(str(image), np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    source, out = str(small / "small.params"), str(small / "small.safetensors")
    assert main(["import-weights", source, out, "--config", str(small / "small.json")]) == 0
    assert main(["predict", str(image), "--checkpoint", out, "--raw", str(raw)]) == 0
    names = "data im_info rpn_cls_prob rpn_bbox_pred rois cls_prob seg_prob boxes scores labels masks21"
    found = np.load(raw)
    assert set(found) == set(names.split()) and found["cls_prob"].shape[1] == 3
    assert main(["predict", str(image), str(image), "--checkpoint", out, "--raw", str(raw)]) == 2
    assert "--raw takes one image, not 2" in capsys.readouterr().err
    assert main(["predict", str(image), "--checkpoint", out, "--raw", str(raw), "--precision", "bf16"]) == 2
    assert "--raw computes in fp32" in capsys.readouterr().err
    assert main(["predict", str(image), "--checkpoint", out, "--raw", str(small / "nowhere" / "raw.npz")]) == 2
    assert "raw.npz: cannot be written" in capsys.readouterr().err
