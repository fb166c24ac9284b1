# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``proposals: windows``: a window of fixed size that slides over an image pyramid, in place of the RPN ([0024], [0025]).

A window of one size in a level of the pyramid is, in the image itself, a box of another size: so the maps of the one image
serve all levels, and only the source of the proposals differs. It serves comparison.
"""

import torch
from torch import Tensor

from fcis_ros.config import ModelConfig
from fcis_ros.model.proposals import Proposals, best
from fcis_ros.model.score_maps import operators


def slide(height: int, width: int, config: ModelConfig, device: torch.device | None = None) -> Tensor:
    """Returns [n, 4] windows in pixels of the resized image, first and last pixel; level by level, row by row.

    In every level the window moves by the stride of the feature maps. Where it is larger than the level, it is cut off.

    Args:
        height: height of the resized image.
        width: width of the resized image.
        config: size of the window, scales of the levels.
        device: device of the result; None for the CPU.
    """
    levels = []
    for scale in config.window_scales:
        side, step = config.window / scale, config.stride / scale
        x, y = (torch.arange(int(max(length - side, 0) / step) + 1, device=device) * step for length in (width, height))
        top, left = torch.meshgrid(y, x, indexing="ij")
        right, bottom = (left + side).clamp(max=width) - 1, (top + side).clamp(max=height) - 1
        levels.append(torch.stack([left, top, right, bottom], dim=-1).reshape(-1, 4))
    return torch.cat(levels).float()


@torch.no_grad()
def propose_windows(score_maps: Tensor, height: int, width: int, config: ModelConfig) -> Proposals:
    """Returns the windows of one image that are least likely background, after NMS with the limits of the RPN.

    Args:
        score_maps: [1, k*k*P*2, h, w], in the order of ``ScoreMaps``.
        height: height of the resized image.
        width: width of the resized image.
        config: windows, limits and thresholds.
    """
    windows = slide(height, width, config, score_maps.device)
    rois = torch.nn.functional.pad(windows, (1, 0))
    logits = operators(config).class_logits(score_maps, rois, config.num_classes, config.bins, config.grid, config.stride)
    return best(windows, 1 - torch.softmax(logits, dim=1)[:, 0], config)
