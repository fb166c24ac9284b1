# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The operators in plain PyTorch, NumPy and OpenCV: the definition that the compiled kernels are compared with.

Functions take the arguments and return the values of their namesakes in ``fcis_ros.ops``, which describes them.
"""

from fcis_ros.ops.reference.grid_averages import (
    best_class_masks,
    box_deltas,
    class_logits,
    mask_logits,
    psroi_assemble,
    span_edges,
)
from fcis_ros.ops.reference.mask_voting import label_map, paint, vote_masks
from fcis_ros.ops.reference.pixels import network_input
from fcis_ros.ops.reference.roi_boxes import class_nms, decode_anchors, decode_rois, nms, rois_to_image, vote_weights

__all__ = [
    "box_deltas", "class_logits", "class_nms", "decode_anchors", "decode_rois", "vote_weights", "label_map", "mask_logits",
    "network_input", "nms", "paint", "rois_to_image", "psroi_assemble", "span_edges", "vote_masks", "best_class_masks",
]  # fmt: skip
