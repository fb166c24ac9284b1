"""Everything that decides a training run, in one frozen dataclass that is read from a JSON file."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcis_ros.config import ModelConfig, read_json_object
from fcis_ros.errors import InputError


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        model: what is trained.
        steps: optimiser steps.
        batch: images per step.
        lr: peak learning rate of SGD.
        warmup: steps over which the rate rises linearly from nothing.
        milestones: fractions of ``steps`` at which the rate is divided by ten.
        momentum: of SGD.
        weight_decay: on weights of convolutions; biases and normalisation are left alone.
        ema: decay per step of the averaged weights that are evaluated and saved.
        freeze_norm: keep BatchNorm statistics fixed (fine-tuning an ImageNet backbone, as released) instead of training them.
        crop: height and width of the training crops in pixels of the resized image.
        scale_jitter: range of the factor on top of the model's own resize, drawn log-uniformly.
        paste: probability of pasting objects of another image into this one.
        synthetic: fraction of the images that are rendered scenes.
        rois: proposals per image; the ground-truth boxes are added to them.
        ohem: ROIs with the highest loss that are trained on, per image.
        mask_weight: weight of the mask loss against the two others (10 in the released code).
        seed: of weights, data order and augmentation.
        eval_every: steps between evaluations and snapshots.
    """

    model: ModelConfig
    steps: int
    batch: int = 4
    lr: float = 0.02
    warmup: int = 200
    milestones: tuple[float, ...] = (0.7, 0.9)
    momentum: float = 0.9
    weight_decay: float = 5e-4
    ema: float = 0.998
    freeze_norm: bool = False
    crop: tuple[int, int] = (480, 640)
    scale_jitter: tuple[float, float] = (0.75, 1.4)
    paste: float = 0.5
    synthetic: float = 0.3
    rois: int = 300
    ohem: int = 128
    mask_weight: float = 10.0
    seed: int = 0
    eval_every: int = 1000

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Raises InputError on unknown or missing keys."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(f"training config: unknown key {unknown[0]!r}")
        if missing := sorted({"model", "steps"} - set(values)):
            raise InputError(f"training config: missing key {missing[0]!r}")
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return cls(**{**values, "model": ModelConfig.from_dict(values["model"])})

    @classmethod
    def read(cls, path: str | Path) -> "TrainConfig":
        """Reads a JSON file such as ``config/train_road.json``, whose ``model`` may be the name of another beside it.

        Raises:
            InputError: a file is missing, not JSON, or has unknown or missing keys.
        """
        values = read_json_object(path, "training config")
        if isinstance(values.get("model"), str):
            values["model"] = ModelConfig.read(Path(path).parent / values["model"]).to_dict()
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """A dict of JSON types."""
        return dataclasses.asdict(self)
