# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The backbone that a configuration names."""

from fcis_ros.config import ModelConfig
from fcis_ros.model.backbones.backbone import Backbone
from fcis_ros.model.backbones.efficientnet_lite import EfficientNetLite
from fcis_ros.model.backbones.resnet import ResNet


def make_backbone(config: ModelConfig) -> Backbone:
    """Makes the backbone of a configuration, with random weights."""
    return ResNet(config) if config.is_resnet else EfficientNetLite(config)
