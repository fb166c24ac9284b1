# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""conv4 features -> proposals: anchors, the region proposal network, and its decoding."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.convolution import conv_relu, initialise_head


@dataclass(frozen=True)
class Proposals:
    """Proposals of one image, best first.

    Attributes:
        boxes: [R, 4] float32, first and last pixel in the resized image; R is always ``rpn_post_nms``, so that nothing has to
            wait for a count, and rows after the last proposal are NaN: every operator ignores them.
        scores: [R] float32, probability of being an object.
    """

    boxes: Tensor
    scores: Tensor


def base_anchors(config: ModelConfig) -> Tensor:
    """Returns the [A, 4] anchors of the feature cell at the origin, ratio by ratio, then scale by scale.

    Released ``generate_anchors.py``: sides of the ratio step are rounded half to even, so the sizes of section 4 of the
    paper come out to the pixel.
    """
    centre = 0.5 * (config.stride - 1)
    anchors = []
    for ratio in config.anchor_ratios:
        width = np.round(np.sqrt(config.stride * config.stride / ratio))
        height = np.round(width * ratio)
        for scale in config.anchor_scales:
            half_width, half_height = 0.5 * (width * scale - 1), 0.5 * (height * scale - 1)
            anchors.append([centre - half_width, centre - half_height, centre + half_width, centre + half_height])
    return torch.tensor(anchors, dtype=torch.float32, device="cpu")  # even on the meta device: no file stores them


class RPN(nn.Module):
    """Maps conv4 [N, C4, h, w] to logits [N, 2A, h, w] (A background, then A object) and deltas [N, 4A, h, w]."""

    anchors: Tensor

    def __init__(self, inputs: int, config: ModelConfig):
        super().__init__()
        self.conv = nn.Conv2d(inputs, config.rpn_channels, 3, padding=1)
        self.score = nn.Conv2d(config.rpn_channels, 2 * config.num_anchors, 1)
        self.delta = nn.Conv2d(config.rpn_channels, 4 * config.num_anchors, 1)
        self.register_buffer("anchors", base_anchors(config), persistent=False)
        initialise_head(self.conv, self.score, self.delta)

    def forward(self, c4: Tensor) -> tuple[Tensor, Tensor]:
        x = conv_relu(self.conv, c4)
        return self.score(x), self.delta(x)


@torch.no_grad()
def propose(logits: Tensor, deltas: Tensor, anchors: Tensor, height: int, width: int, config: ModelConfig) -> Proposals:
    """Decodes, clips, filters and suppresses the RPN's output for one image.

    Args:
        logits: [2A, h, w] of the RPN.
        deltas: [4A, h, w] of the RPN.
        anchors: [A, 4] base anchors.
        height: height of the resized image.
        width: width of the resized image.
        config: limits and thresholds.

    Returns:
        At most ``rpn_post_nms`` proposals, then NaN. As released, floor(height/stride) x floor(width/stride) cells propose.
    """
    rows, columns = max(height // config.stride, 1), max(width // config.stride, 1)
    logits, deltas = logits[:, :rows, :columns].float(), deltas[:, :rows, :columns].float()
    candidates, scores = ops.decode_anchors(logits, deltas, anchors, config.stride, height, width, config.rpn_min_size)
    return best(candidates, scores, config)


def best(candidates: Tensor, scores: Tensor, config: ModelConfig) -> Proposals:
    """Returns the proposals that NMS keeps of candidates [n, 4] with scores [n]; a score of -inf marks an invalid one."""
    if scores.device.type == "cpu" and len(scores) > config.rpn_pre_nms and not torch.compiler.is_compiling():
        # The same candidates in the same order, in a fifth of the time. A GPU would have to wait for their number.
        scores = torch.where(scores.isnan(), -torch.inf, scores)  # NaN would count as the highest
        least = torch.topk(scores, config.rpn_pre_nms, sorted=False).values.min()
        chosen = torch.nonzero(scores >= least)[:, 0]
        scores, candidates = scores[chosen], candidates[chosen]
    # Invalid candidates are sorted to the end, and NMS never keeps them.
    scores, order = torch.sort(scores, descending=True, stable=True)
    scores, candidates = scores[: config.rpn_pre_nms], candidates[order[: config.rpn_pre_nms]]
    kept = ops.nms(candidates, scores, config.rpn_nms, config.rpn_post_nms)
    # An index of -1, for none, selects the last row, which is NaN.
    return Proposals(F.pad(candidates, (0, 0, 0, 1), value=torch.nan)[kept], F.pad(scores, (0, 1), value=torch.nan)[kept])
