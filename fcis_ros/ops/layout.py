# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The order of the channels of score maps, which operators, model and files share.

Channel ((i*k + j)*P + class)*2 + side, side 0 outside and 1 inside. Bins come first, so that the values that an ROI reads at
a cell of a bin are adjacent in channels-last maps; sides last, so that one load brings both. P is C + 1 padded
(``padded_classes``). Values in the channels of the padding change nothing; their weights and gradients are zero.
"""

from torch import Tensor

ALIGNMENT = 4  # classes, equal to kClassAlignment of csrc/maps.h


def padded_classes(classes: int) -> int:
    """Returns P: C + 1 classes rounded up to a multiple of 4, or 16 bytes of fp16 pairs.

    Thus the channels of a cell and bin begin on an aligned address, and the convolution that makes the maps has a multiple of 8
    outputs, which the matrix units of GPUs want. A multiple of 8 classes would make no load wider and more of them useless.
    """
    return -(-classes // ALIGNMENT) * ALIGNMENT


def padding_of(channels: Tensor, bin_count: int, classes: int) -> Tensor:
    """Returns the padding of the channels [bins * P * 2, ...]: a view [bins, P - (C + 1), 2, ...]."""
    return channels.unflatten(0, (bin_count, padded_classes(classes), 2))[:, classes:]
