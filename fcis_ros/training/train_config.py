# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Configuration of a training run, read from a JSON file."""

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcis_ros.config import BACKBONES, ModelConfig, read_json_object
from fcis_ros.errors import InputError

PRECISIONS = ("auto", "fp32", "bf16")
OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("steps", "cosine")
MAX_SIDE = 1 << 15  # of a crop, pixels


def _is_number(value: Any, low: float = 0, high: float = sys.float_info.max) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _are(holds: Callable[[Any], bool], values: Any, count: int | None = None) -> bool:
    return isinstance(values, tuple) and count in (None, len(values)) and all(map(holds, values))


# {name of a field: condition after "must", predicate of a value of any type}
_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("steps", "batch", "accumulate", "ohem", "eval_every"), ("be a whole number above 0", _is_count)),
    **dict.fromkeys(
        ("seed", "roi_samples", "frozen_stages"), ("be a whole number from 0", lambda value: type(value) is int and value >= 0)
    ),
    **dict.fromkeys(
        ("lr", "warmup", "weight_decay", "reduce_lr", "backbone_lr", "mask_weight"), ("be a number from 0", _is_number)
    ),
    **dict.fromkeys(
        ("momentum", "ema", "paste", "synthetic", "background_iou"), ("lie in 0..1", lambda value: _is_number(value, high=1))
    ),
    "warmup_rate": ("be null or lie in 0..1", lambda value: value is None or _is_number(value, high=1)),
    **dict.fromkeys(("decay_norm", "frozen_norm"), ("be true or false", lambda value: isinstance(value, bool))),
    "milestones": ("be fractions of the steps", lambda value: _are(_is_number, value)),
    "crop": (
        f"be a height and a width of 1 to {MAX_SIDE} pixels",
        lambda value: _are(lambda side: _is_count(side) and side <= MAX_SIDE, value, 2),
    ),
    "scale_jitter": (
        "be a minimum and a maximum factor",
        lambda value: _are(_is_number, value, 2) and 0 < value[0] <= value[1],
    ),
}


@dataclass(frozen=True)
class TrainConfig:
    """A training run; together with its data and initial weights it determines the outcome.

    The number of ROIs per image is ``rpn_post_nms`` of the model plus the ground-truth boxes. All losses are averaged over the
    images of a step, so rate and decay scale with ``batch``: the released code sums the gradients of its GPUs, one image each,
    so that its 5e-4 and 5e-4 for N GPUs are ``lr`` N * 5e-4 and ``weight_decay`` 5e-4 / N here.

    Attributes:
        model: configuration of the network.
        steps: number of optimiser steps.
        batch: images per step, of all processes together.
        accumulate: number of parts in which a process takes its images through the network, one after the other, for memory.
        optimizer: ``sgd``, as released; or ``adamw``, whose steps do not depend on the scale of a layer's gradient: for
            backbones of depthwise convolutions.
        lr: peak learning rate.
        warmup: number of steps over which the rate rises linearly from 0.
        warmup_rate: constant fraction of ``lr`` during the warm-up (0.1 in the released COCO recipe); None: linear.
        schedule: ``steps``, divisions by ten at the milestones, as released; or ``cosine``, half a cosine that reaches 0 after
            the last step: for another number of steps there are no milestones to be found.
        milestones: fractions of ``steps`` at which the rate is divided by ten.
        momentum: momentum of SGD, decay of AdamW's mean of the gradients.
        weight_decay: decay of the convolutions' weights; biases and normalisation have none.
        decay_norm: whether ``weight_decay`` also applies to the scales of BatchNorm, as released.
        reduce_lr: factor on the rate of the 1x1 reduction of conv5 (3 in the released code).
        backbone_lr: factor on the rate of the backbone: below 1, pretrained weights move less than the new layers.
        frozen_stages: number of backbone stages, from the image on, that are not trained. Of a ResNet: 1 is conv1, 2 adds
            layer1 (the released code freezes these two), up to 5; of an EfficientNet: 1 is the stem, then its 7 stages. Edges
            and textures of ImageNet serve any street, and without their gradients a step is faster.
        frozen_norm: whether BatchNorm of the backbone keeps its initial statistics and learns only scale and shift, as
            released: for weights from ImageNet or another run and batches too small to measure statistics.
        ema: decay per step of the averaged weights that are evaluated and saved.
        precision: precision of the convolutions: ``fp32``, ``bf16`` (autocast; weights and their sums stay float32), or
            ``auto``, bf16 where the hardware has it.
        crop: height and width of the training crops in pixels of the resized image.
        scale_jitter: range of a log-uniform factor on top of the model's resizing.
        paste: probability of pasting objects of another image into this one.
        synthetic: fraction of the images that are rendered scenes.
        roi_samples: number of ROIs sampled per image, at most a quarter of them objects (128 in the released VOC recipe); 0:
            all of them (COCO).
        background_iou: minimum IoU with an object for an ROI to be a background example (0.1 in the VOC recipe).
        ohem: number of ROIs per image that are trained on, those with the highest loss.
        mask_weight: weight of the mask loss against the two others: 10 in the released code, 1 in the patent ([0037]).
        seed: seed of weights, data order and augmentation.
        eval_every: number of steps between evaluations and snapshots.
    """

    model: ModelConfig
    steps: int
    batch: int = 4
    accumulate: int = 1
    optimizer: str = "sgd"
    lr: float = 0.02
    warmup: int = 200
    warmup_rate: float | None = None
    schedule: str = "steps"
    milestones: tuple[float, ...] = (0.7, 0.9)
    momentum: float = 0.9
    weight_decay: float = 5e-4
    decay_norm: bool = False
    reduce_lr: float = 1.0
    backbone_lr: float = 1.0
    frozen_stages: int = 0
    frozen_norm: bool = False
    ema: float = 0.998
    precision: str = "auto"
    crop: tuple[int, int] = (480, 640)
    scale_jitter: tuple[float, float] = (0.75, 1.4)
    paste: float = 0.5
    synthetic: float = 0.3
    roi_samples: int = 0
    background_iou: float = 0.0
    ohem: int = 128
    mask_weight: float = 10.0
    seed: int = 0
    eval_every: int = 1000

    def __post_init__(self) -> None:
        for name, (says, holds) in _RULES.items():
            if not holds(value := getattr(self, name)):
                raise InputError(f"training config: {name} must {says}, not {value!r}")
        for name, names in (("precision", PRECISIONS), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if (value := getattr(self, name)) not in names:
                raise InputError(f"training config: {name} {value!r} is not one of {', '.join(names)}")
        if self.frozen_stages > (stages := BACKBONES[self.model.backbone]):
            raise InputError(f"training config: frozen_stages must be one of 0 to {stages}, not {self.frozen_stages}")
        if self.optimizer == "adamw" and self.momentum == 1:
            raise InputError("training config: momentum must be below 1 for adamw, not 1")
        if self.schedule == "cosine" and self.milestones != TrainConfig.milestones:
            raise InputError("training config: milestones have no effect with schedule cosine")
        if min(self.crop) < (least := max(self.model.level_strides)):
            raise InputError(f"training config: crop must be at least the largest stride, {least}, not {self.crop}")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Makes a configuration from the result of ``to_dict``.

        Raises:
            InputError: an unknown or missing key, or a value that the configuration does not allow.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(f"training config: unknown key {unknown[0]!r}")
        if missing := sorted({"model", "steps"} - set(values)):
            raise InputError(f"training config: missing key {missing[0]!r}")
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        if not isinstance(values["model"], dict):
            raise InputError("training config: model is not an object with the keys of a model config")
        return cls(**{**values, "model": ModelConfig.from_dict(values["model"])})

    @classmethod
    def read(cls, path: str | Path) -> "TrainConfig":
        """Reads a JSON file such as ``config/train_road.json``, whose ``model`` may name another file in the same folder.

        Raises:
            InputError: a file is missing, not JSON, or has unknown or missing keys.
        """
        values = read_json_object(path, "training config")
        if isinstance(values.get("model"), str):
            values["model"] = ModelConfig.read(Path(path).parent / values["model"]).to_dict()
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """Returns a dict of JSON types."""
        return dataclasses.asdict(self)
