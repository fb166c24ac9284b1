# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The rungs of the ladder: each is the recipe of the default checkpoint with one change."""

from dataclasses import dataclass, field
from typing import Any

from fcis_ros.config import ModelConfig

LITE = "efficientnet_lite"
SCRATCH = {"frozen_stages": 0, "frozen_norm": False, "backbone_lr": 1.0}


@dataclass(frozen=True)
class Rung:
    """One run of the ladder.

    Attributes:
        model: settings of the model that differ from the recipe's.
        recipe: settings of training that differ.
        pretrained: whether an EfficientNet starts from its ImageNet weights.
        train: name of the annotation file, see ``data.write_splits``.
    """

    model: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    pretrained: bool = True
    train: str = "train_with_all_photos"


RUNGS = {
    "recipe": Rung(),
    "scratch": Rung(recipe=SCRATCH, pretrained=False),
    "stride 16": Rung(model={"stride": 16}),
    "dilated conv5, stride 16": Rung(model={"stride": 16, "features": "c5"}),
    "Lite1": Rung(model={"backbone": "efficientnet_lite1"}),
    "Lite2": Rung(model={"backbone": "efficientnet_lite2"}),
    "frozen 0": Rung(recipe={"frozen_stages": 0}),
    "frozen 5": Rung(recipe={"frozen_stages": 5}),
    "trained statistics": Rung(recipe={"frozen_norm": False}),
    "wide scales": Rung(recipe={"scale_jitter": (0.6, 1.8)}),
    "no pasting": Rung(recipe={"paste": 0.0}),
    "rendered 10 %": Rung(recipe={"synthetic": 0.1}),
    "rendered 25 %": Rung(recipe={"synthetic": 0.25}),
    "rendered 50 %": Rung(recipe={"synthetic": 0.5}),
    "without photos": Rung(train="train"),
    "photos of cars and persons only": Rung(train="train_with_photos"),
    "572 px": Rung(
        model={"short_side": 572, "max_side": 1017, "anchor_scales": [2.65, 5.3, 10.6, 21.2]}, recipe={"crop": (412, 508)}
    ),
    "640 px": Rung(
        model={"short_side": 640, "max_side": 1138, "anchor_scales": [3.0, 6.0, 12.0, 24.0]}, recipe={"crop": (444, 572)}
    ),
}


def settings(recipe: dict[str, Any], rung: Rung, steps: int, seed: int) -> dict[str, Any]:
    """Returns the training configuration of a rung, as JSON types.

    Args:
        recipe: configuration of the default checkpoint's training, ``model`` included.
        rung: the change.
        steps: number of optimiser steps, the same for all rungs.
        seed: seed of the run.
    """
    model = recipe["model"] | rung.model
    if model["stride"] != recipe["model"]["stride"]:  # anchors keep their pixels
        factor = recipe["model"]["stride"] / model["stride"]
        model["anchor_scales"] = [scale * factor for scale in recipe["model"]["anchor_scales"]]
    if model["features"] == "c5":
        model.pop("pyramid_channels", None)
    ModelConfig.from_dict(model)
    return {**recipe, **rung.recipe, "model": model, "steps": steps, "ema": 0.995, "seed": seed, "eval_every": steps}
