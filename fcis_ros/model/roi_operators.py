# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The operators that read the maps inside an ROI, by formulation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.ops import patent


@dataclass(frozen=True)
class MultiBinOperators:
    """The operators for several k, whose maps are concatenated: outputs are averaged before any softmax ([0043]).

    Signatures are those of the operators for one k; ``bins`` is not used.

    Attributes:
        single: operators for one k.
        all_bins: every k, in the order of the channels.
    """

    single: ModuleType
    all_bins: tuple[int, ...]

    def class_logits(self, score_maps: Tensor, rois: Tensor, classes: int, bins: int, size: int, stride: int) -> Tensor:
        return self._mean(score_maps, lambda maps, k: self.single.class_logits(maps, rois, classes, k, size, stride))

    def mask_logits(self, score_maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
        return self._mean(score_maps, lambda maps, k: self.single.mask_logits(maps, rois, labels, k, size, stride))

    def best_class_masks(self, score_maps: Tensor, rois: Tensor, scores: Tensor, bins: int, size: int, stride: int) -> Tensor:
        pairs = self.mask_logits(score_maps, rois, patent.best_labels(scores), bins, size, stride)
        return torch.sigmoid(pairs[:, 1] - pairs[:, 0])

    def box_deltas(self, box_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
        return self._mean(box_maps, lambda maps, k: self.single.box_deltas(maps, rois, k, size, stride))

    def _mean(self, maps: Tensor, run: Callable[[Tensor, int], Tensor]) -> Tensor:
        return torch.stack([run(part, k) for k, part in self._parts(maps)]).mean(dim=0)

    def _parts(self, maps: Tensor) -> Iterator[tuple[int, Tensor]]:
        channels = maps.shape[1] // sum(k * k for k in self.all_bins)
        parts = maps.split([k * k * channels for k in self.all_bins], dim=1)
        return ((k, part.contiguous(memory_format=torch.channels_last)) for k, part in zip(self.all_bins, parts, strict=True))


def operators(config: ModelConfig) -> ModuleType | MultiBinOperators:
    """Returns ``class_logits``, ``mask_logits``, ``best_class_masks`` and ``box_deltas`` of the formulation.

    ``assemble: grid`` follows the released code, ``native`` the patent's text ([0028]-[0030]).
    """
    single = patent if config.assemble == "native" else ops
    return MultiBinOperators(single, config.all_bins) if config.more_bins else single
