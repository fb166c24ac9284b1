# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What ``fcis check`` says about checkpoints, exported packages and configurations."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fcis_ros.cli.train import FROZEN
from fcis_ros.config import ModelConfig, json_object
from fcis_ros.data.synthetic.scenes import CLASS_NAMES
from fcis_ros.files import sha256
from fcis_ros.findings import Finding, Inspection
from fcis_ros.model import checkpoint
from fcis_ros.model.device import auto_device, auto_precision
from fcis_ros.model.exported import ExportedPredictor, read_about
from fcis_ros.training.mixed_precision import training_precision
from fcis_ros.training.train_config import TrainConfig


def inspect_checkpoint(path: Path) -> Inspection:
    """Loads a checkpoint, so that all of its weights are checked, and describes it.

    Raises:
        InputError: the checkpoint cannot be used.
    """
    with checkpoint.open_tensors(path) as file:
        about = file.metadata() or {}
        if "format_version" not in about:
            facts = {"tensors": len(file.keys()), "metadata": ", ".join(sorted(about)) or "none"}
            remark = Finding(path.name, "not a checkpoint of this project, so no model but initial weights", lost=False)
            return Inspection(str(path), "weights", facts, {"train": "takes the tensors that fit, by --init"}, (remark,))
    model = checkpoint.load(path)
    config, provenance = checkpoint.read_metadata(path)
    device = auto_device().value
    precision = auto_precision(torch.device(device)).value
    facts = {
        **_config_facts(config),
        "format": checkpoint.read_version(path),
        "bytes": path.stat().st_size,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "sha256": sha256(path),
        **_provenance_facts(provenance),
    }
    running = f"runs on {device} in {precision}"
    uses = {
        "predict, evaluate, evaluate-bag, demo, node": running,
        "train": "takes it as initial weights, by --init",
        "export": "compiles it" if config.voting == "released" else f"refuses it: voting {config.voting}",
    }
    return Inspection(str(path), "checkpoint", facts, uses)


def inspect_package(path: Path) -> Inspection:
    """Loads an exported package and describes it.

    Raises:
        InputError: the package cannot be used here.
    """
    about = read_about(path)
    config = ModelConfig.from_dict(json_object(about.get("config", ""), f"model {path}"))
    ExportedPredictor(path)
    facts = {
        **_config_facts(config),
        **{name: about[name] for name in ("name", "encoding", "device", "precision", "torch")},
        "image size": f"{about['width']}x{about['height']}",
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
    }
    uses = {"predict, evaluate, evaluate-bag, demo, node": f"take it, for {facts['image size']} images in {about['precision']}"}
    return Inspection(str(path), "exported package", facts, uses)


def inspect_training_config(path: Path) -> Inspection:
    """Describes a training configuration.

    Raises:
        InputError: the configuration cannot be used, here for instance.
    """
    config = TrainConfig.read(path)
    device = torch.device(auto_device().value)
    facts = {
        **_config_facts(config.model),
        **_size(config.model),
        "steps": config.steps,
        "images a step": config.batch,
        "images in all": config.steps * config.batch,
        "crop": "{}x{}".format(*reversed(config.crop)),
        "rendered images": f"{config.synthetic:.0%}",
        "peak learning rate": config.lr,
        "evaluation": f"every {config.eval_every} steps",
    }
    precision = training_precision(config.precision, device, config.model.width)
    uses = {"train": f"computes on {device.type} in {precision}"}
    if config.frozen_stages:
        uses["train"] += f"; {FROZEN.format(config.frozen_stages)}"
    if config.synthetic and config.model.class_names != CLASS_NAMES:
        uses["train"] = f"needs --annotations and --synthetic 0: rendered images have the classes {', '.join(CLASS_NAMES)}"
    return Inspection(str(path), "training configuration", facts, uses)


def inspect_model_config(path: Path) -> Inspection:
    """Describes the configuration of a network.

    Raises:
        InputError: the configuration cannot be used.
    """
    config = ModelConfig.read(path)
    uses = {"train": "takes it as `model` of a training configuration", "import-weights": "takes it by --config"}
    return Inspection(str(path), "model configuration", {**_config_facts(config), **_size(config)}, uses)


def _config_facts(config: ModelConfig) -> dict[str, Any]:
    return {
        "classes": list(config.class_names),
        "network": f"{_backbone(config)}, {config.assemble} assembly, {config.voting} voting",
        "image sides": f"short side {config.short_side}, at most {config.max_side} pixels",
    }


def _backbone(config: ModelConfig) -> str:
    name = f"{config.backbone}, width {config.width}" if config.is_resnet else config.backbone
    features = "conv5" if config.features == "c5" else f"a pyramid of {config.pyramid_channels} channels"
    return f"{name}, {features} at stride {config.stride}"


def _size(config: ModelConfig) -> dict[str, int]:
    return {"parameters": sum(parameter.numel() for parameter in checkpoint.blueprint(config).parameters())}


def _provenance_facts(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its origin, shortened; `fcis info` prints all of it."""
    data, init = provenance.get("data"), provenance.get("init")
    facts = {"trained for steps": provenance.get("steps"), "imported from": provenance.get("imported_from")}
    if isinstance(data, dict):
        facts["trained on"] = f"{data.get('images')} images of {data.get('annotations')}"
        if isinstance(data.get("findings"), list) and data["findings"]:
            facts["findings of its training"] = len(data["findings"])
    if isinstance(init, list) and init and isinstance(init[0], dict):
        facts["initial weights"], about = init[0].get("file"), init[0].get("provenance")
        if isinstance(about, dict) and "package" in about:
            facts["initial weights"] = f"{about['package']} {about.get('version')}"
    return {name: value for name, value in facts.items() if isinstance(value, str | int | float)}
