# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Position-sensitive inside/outside score maps: conv5 features -> maps -> class and mask probabilities of ROIs."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.convolution import conv_relu, initialise_head
from fcis_ros.ops import patent
from fcis_ros.ops.layout import padded_classes, padding_of


class ScoreMaps(nn.Module):
    """The whole head: a 1x1 reduction and two sibling 1x1 convolutions; nothing is computed per ROI (section 3.1; [0034]).

    Outputs score maps [N, k*k*P*2, h, w], channel ((i*k + j)*P + class)*2 + s with s = 0 outside and 1 inside, P being C + 1
    padded (``ops.layout``), and box maps [N, k*k*4, h, w], channel (i*k + j)*4 + d. The released model orders class, side, bin;
    it has 8*k*k box channels, of which 4*k*k are used. With ``more_bins`` the channels of every further k follow. Weights and
    biases of the padding are zero; as nothing reads its outputs, they stay zero in training.
    """

    def __init__(self, inputs: int, config: ModelConfig):
        super().__init__()
        bins = config.bin_count
        self.reduce = nn.Conv2d(inputs, config.reduced_channels, 1)
        self.score = nn.Conv2d(config.reduced_channels, bins * padded_classes(config.num_classes) * 2, 1)
        self.box = nn.Conv2d(config.reduced_channels, 4 * bins, 1)
        initialise_head(self.reduce, self.score, self.box)
        with torch.no_grad():
            padding_of(self.score.weight, bins, config.num_classes).zero_()

    def forward(self, c5: Tensor) -> tuple[Tensor, Tensor]:
        x = conv_relu(self.reduce, c5)
        return self.score(x), self.box(x)


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
        channels = maps.shape[1] // sum(k * k for k in self.all_bins)
        parts = maps.split([k * k * channels for k in self.all_bins], dim=1)
        parts = [part.contiguous(memory_format=torch.channels_last) for part in parts]
        return torch.stack([run(part, k) for part, k in zip(parts, self.all_bins, strict=True)]).mean(dim=0)


def operators(config: ModelConfig) -> ModuleType | MultiBinOperators:
    """Returns ``class_logits``, ``mask_logits``, ``best_class_masks`` and ``box_deltas`` of the formulation.

    ``assemble: grid`` follows the released code, ``native`` the patent's text ([0028]-[0030]).
    """
    single = patent if config.assemble == "native" else ops
    return MultiBinOperators(single, config.all_bins) if config.more_bins else single


@dataclass(frozen=True)
class FusedRois:
    """Scores and masks of every ROI of one image.

    Attributes:
        boxes: [R, 4] float32, first and last pixel in the resized image; rows of NaN are no ROIs.
        scores: [R, C+1] float32 probabilities, background first.
        masks: [R, S, S] float32, foreground probability of the ROI's best foreground class.
    """

    boxes: Tensor
    scores: Tensor
    masks: Tensor


def fuse(score_maps: Tensor, rois: Tensor, config: ModelConfig) -> FusedRois:
    """Computes joint scores and masks of ROIs [R, 5] from the maps of one image, [1, k*k*P*2, h, w] (section 3.2; [0029]).

    The class is decided by the softmax over classes of the mean of max(outside, inside); the mask is the softmax of the pair
    of the best class other than background, the lower label winning a tie.
    """
    assembly, geometry = operators(config), (config.bins, config.grid, config.stride)
    scores = torch.softmax(assembly.class_logits(score_maps, rois, config.num_classes, *geometry), dim=1)
    return FusedRois(rois[:, 1:], scores, assembly.best_class_masks(score_maps, rois, scores, *geometry))
