# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The example of docs/training.md in small: a packaged checkpoint, the driving classes of 100 COCO photos; seed 0, fp32."""

import dataclasses
import json
from pathlib import Path

import torch

from fcis_ros.cli.main import main
from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS
from fcis_ros.training.batches import Batches
from fcis_ros.training.init_weights import initialise
from fcis_ros.training.losses import LOSSES, compute_losses
from fcis_ros.training.optimiser import set_training
from fcis_ros.training.train_config import TrainConfig

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config" / "train_coco_driving.json"
WEIGHTS = ROOT / "weights" / "fcis_road_r18.safetensors"


def losses(model: FCIS, config: TrainConfig, photos: CocoDataset) -> dict[str, float]:
    """Mean over two batches that the run does not see in this form."""
    batches = Batches(dataclasses.replace(config, seed=1), photos, lambda index: photos[index])
    set_training(model, config)
    with torch.no_grad():
        losses = [compute_losses(model, batches[step], config, "fp32", seeds=range(config.batch)) for step in (0, 1)]
    return {name: sum(batch[name].item() for batch in losses) / 2 for name in LOSSES}


def test_train_from_packaged_checkpoint_learns_new_classes(shared_data, tmp_path, capsys):
    """Half the example's resolution, so that it takes seconds."""
    example = TrainConfig.read(EXAMPLE)
    model = dataclasses.replace(example.model, short_side=320, max_side=570)
    config = dataclasses.replace(example, model=model, steps=20, warmup=4, milestones=(), crop=(224, 288), ema=0.8)
    (tmp_path / "run.json").write_text(json.dumps(config.to_dict()))
    annotations, images = shared_data / "coco100/instances_train.json", shared_data / "coco100/train"
    arguments = ["train", "--config", tmp_path / "run.json", "--out", tmp_path / "run", "--annotations", annotations]
    arguments += ["--images", images, "--init", WEIGHTS, "--precision", "fp32", "--device", "cpu"]
    assert main([*map(str, arguments)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  classes taken: background, car" in lines
    assert "  classes that start fresh: person, bicycle, motorcycle, bus, train, truck" in lines
    photos = CocoDataset(annotations, images, model.class_names)
    torch.manual_seed(0)
    fresh, begun = FCIS(model), FCIS(model)
    initialise(begun, WEIGHTS)
    trained = checkpoint.load(tmp_path / "run/model.safetensors")
    at_random, at_start, at_end = (losses(each, config, photos) for each in (fresh, begun, trained))
    assert sum(at_start.values()) < 0.9 * sum(at_random.values())
    assert at_end["roi_class"] < 0.9 * at_start["roi_class"] and sum(at_end.values()) < sum(at_start.values())
