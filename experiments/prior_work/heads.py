# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The three networks under comparison, at the default model's scale and at that of the papers."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from experiments.prior_work.fcis_head import FcisHead
from experiments.prior_work.instance_fcn import PAPER_LEVELS, SMALL_LEVELS, InstanceFcn, WindowHead
from experiments.prior_work.mnc import PAPER, SMALL, MncHead, Widths
from experiments.prior_work.network import Network, RoiNetwork
from fcis_ros.config import ModelConfig

NAMES = {"fcis": "FCIS", "mnc": "MNC", "instance_fcn": "InstanceFCN"}


@dataclass(frozen=True)
class Scale:
    """How large a network is, and on what it is measured.

    Attributes:
        title: the backbone, for people.
        config: configuration of the model.
        widths: widths of the layers of MNC and InstanceFCN.
        levels: scales of InstanceFCN's pyramid.
        c5: channels of conv5.
        height: height of the resized image.
        width: width of the resized image.
    """

    title: str
    config: ModelConfig
    widths: Widths
    levels: Sequence[float]
    c5: int
    height: int
    width: int


def road(config: ModelConfig) -> Scale:
    """The default model, or a smaller one, for images of 4:3."""
    title = f"ResNet-18 of width {config.width}"
    return Scale(title, config, SMALL, SMALL_LEVELS, config.width * 8, config.short_side, config.short_side * 4 // 3)


def coco() -> Scale:
    """80 classes on ResNet-101, widths and pyramid of the papers."""
    config = ModelConfig(class_names=tuple(f"class{i}" for i in range(80)), anchor_scales=(4, 8, 16, 32))
    return Scale("ResNet-101", config, PAPER, PAPER_LEVELS, 2048, 600, 1000)


def make_head(name: str, scale: Scale) -> nn.Module:
    """One of ``NAMES``, with random weights."""
    if name == "fcis":
        return FcisHead(scale.c5, scale.config)
    return {"mnc": MncHead, "instance_fcn": WindowHead}[name](scale.c5, scale.config, scale.widths)


def make_network(name: str, scale: Scale) -> Network:
    """One of ``NAMES`` on its backbone, with random weights."""
    head = make_head(name, scale)
    return InstanceFcn(scale.config, head, scale.levels) if name == "instance_fcn" else RoiNetwork(scale.config, head)
