# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from fcis_ros.config import BACKBONES, ModelConfig
from fcis_ros.model.backbones.backbone import Backbone
from fcis_ros.model.checkpoint import blueprint


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(("stride", "features"), [(8, "c5"), (16, "c5"), (8, "pyramid")])
def test_make_backbone_every_name_is_a_backbone_of_the_configured_strides(name, stride, features):
    """What a new backbone has to fulfil; shapes alone, without memory for weights or maps."""
    config = ModelConfig(class_names=("car",), backbone=name, stride=stride, features=features)
    backbone = blueprint(config).backbone
    assert isinstance(backbone, Backbone) and len(backbone.stages()) == BACKBONES[name]
    assert tuple(level.stride for level in backbone.levels) == config.level_strides
    maps = backbone.eval()(torch.empty(2, 3, 64, 96, device="meta"))
    for level, found in zip(backbone.levels, maps, strict=True):
        assert found.shape[:2] == (2, level.channels)
        assert all(cells >= side // level.stride for cells, side in zip(found.shape[2:], (64, 96), strict=True))
