# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The operators in plain PyTorch, to compare with on any device: the parts of the reference in NumPy run on the host."""

from collections.abc import Callable

import torch

from fcis_ros.ops import reference


def _on_host(function: Callable) -> Callable:
    def run(*arguments):
        devices = {a.device for a in arguments if isinstance(a, torch.Tensor)}
        result = function(*(a.cpu() if isinstance(a, torch.Tensor) else a for a in arguments))
        (device,) = devices
        return tuple(part.to(device) for part in result) if isinstance(result, tuple) else result.to(device)

    return run


class_logits, box_deltas = reference.class_logits, reference.box_deltas
mask_logits, best_class_masks = reference.mask_logits, reference.best_class_masks
decode_anchors, decode_rois = reference.decode_anchors, reference.decode_rois
rois_to_image, vote_weights = reference.rois_to_image, reference.vote_weights
nms, class_nms = _on_host(reference.nms), _on_host(reference.class_nms)
vote_masks = _on_host(reference.vote_masks)
label_map, paint = _on_host(reference.label_map), _on_host(reference.paint)
network_input = reference.network_input
