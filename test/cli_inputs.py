# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Files for the command line, sound and damaged, and how it refuses."""

import json

import safetensors
import safetensors.torch
import torch

from fcis_ros.cli.main import main
from fcis_ros.config import ModelConfig

CONFIG = ModelConfig(
    class_names=("car", "pedestrian", "bicyclist"), backbone="resnet18", width=8, stride_in_1x1=False, short_side=64,
    max_side=128, reduced_channels=16, rpn_channels=8, anchor_scales=(1.0, 2.0), rpn_pre_nms=50, rpn_post_nms=10,
)  # fmt: skip


def write_annotations(path, **changes):
    content = {
        "images": [
            {"id": 7, "file_name": "a.png", "height": 48, "width": 64},
            {"id": 3, "file_name": "b.png", "height": 48, "width": 64},
        ],
        "categories": [{"id": 5, "name": "car"}, {"id": 2, "name": "pedestrian"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 5, "bbox": [8, 8, 16, 16], "area": 256, "iscrowd": 0,
             "segmentation": [[8, 8, 24, 8, 24, 24, 8, 24]]}
        ],
    }  # fmt: skip
    path.write_text(json.dumps({**content, **changes}))
    return path


def damaged(model, path, **changes):
    """The checkpoint with other metadata or tensors."""
    tensors = safetensors.torch.load_file(model)
    with safetensors.safe_open(model, "pt") as file:
        metadata = file.metadata()
    for key, value in changes.items():
        if isinstance(value, torch.Tensor):
            tensors[key] = value
        else:
            metadata[key] = value
    safetensors.torch.save_file(tensors, path, metadata)
    return path


def refused(capfd, arguments, *says):
    """The command exits with 2 and one line that says this."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capfd.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("fcis: ")]
    assert len(lines) == 1 and "Traceback" not in captured.err and captured.out == ""
    for part in says:
        assert str(part) in lines[0]
    return captured.err
