# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The head of FCIS behind the common interface."""

from torch import Tensor

from experiments.prior_work.network import Answers
from fcis_ros.config import ModelConfig
from fcis_ros.model.score_maps import ScoreMaps, operators
from fcis_ros.ops import patent


class FcisHead(ScoreMaps):
    """The package's score maps and operators; nothing is learned per ROI."""

    def __init__(self, inputs: int, config: ModelConfig):
        super().__init__(inputs, config)
        self.config = config

    def maps(self, c5: Tensor) -> tuple[Tensor, Tensor]:
        """Score and box maps of [N, C5, h, w]."""
        return ScoreMaps.forward(self, c5)

    def forward(self, maps: tuple[Tensor, Tensor], rois: Tensor, labels: Tensor | None = None) -> Answers:
        score_maps, box_maps = maps
        single, geometry = operators(self.config), (self.config.bins, self.config.grid, self.config.stride)
        class_logits = single.class_logits(score_maps, rois, self.config.num_classes, *geometry)
        labels = patent.best_labels(class_logits) if labels is None else labels
        mask_logits = single.mask_logits(score_maps, rois, labels, *geometry)
        return Answers(class_logits, mask_logits, single.box_deltas(box_maps, rois, *geometry))

    def per_roi_parameters(self) -> int:
        """Those whose layers run once per ROI."""
        return 0
