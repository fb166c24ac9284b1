# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The operators in plain PyTorch and NumPy: the definition that faster kernels are compared with.

Letters in shapes: N images, R ROIs, C + 1 classes with background, P as many padded (``ops.layout``), k position-sensitive bins
per side, S squares per side of the grid that an ROI is assembled to (a multiple of k), h x w the feature map, W winners of NMS.
ROIs are [R, 5]: image index, then x1, y1, x2, y2 of the first and last pixel of the input image; an ROI of no image (index -1)
or with a coordinate that is not finite gives zeros. Channels are bin-major: all channels of the first of the k x k bins,
then those of the second.
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
