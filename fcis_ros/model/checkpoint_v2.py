# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of format version 2, whose score maps have another order: channel ((i*k + j)*2 + side)*(C+1) + class."""

import torch
from torch import Tensor

from fcis_ros.config import ModelConfig
from fcis_ros.ops.layout import padded_classes

VERSION = "2"


def score_channels(config: ModelConfig) -> int:
    """Returns the number of channels of the score maps, of all k together."""
    return config.bin_count * 2 * config.num_classes


def convert(tensor: Tensor, config: ModelConfig) -> Tensor:
    """Returns the layer's weight or bias [score_channels, ...] in the order of ``ops.layout``; the padding is zero."""
    ordered = tensor.unflatten(0, (config.bin_count, 2, config.num_classes)).transpose(1, 2)
    padding = padded_classes(config.num_classes) - config.num_classes
    zeros = ordered.new_zeros(config.bin_count, padding, *ordered.shape[2:])
    return torch.cat([ordered, zeros], dim=1).flatten(0, 2)
