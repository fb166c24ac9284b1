# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which operators read the maps inside an ROI."""

from types import ModuleType

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.ops import native


def operators(config: ModelConfig) -> ModuleType:
    """``class_logits``, ``mask_logits``, ``winner_masks`` and ``box_deltas`` of one formulation, alike in arguments and shapes.

    ``assemble: grid`` is the released code's, ``native`` the patent's text ([0028]-[0030]).
    """
    return native if config.assemble == "native" else ops
