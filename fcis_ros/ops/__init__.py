# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The per-ROI operators of FCIS, compiled from csrc/. The model imports them from here and nowhere else.

``fcis_ros.ops.patent`` holds the variants for ``assemble: native``; ``fcis_ros.ops.reference`` defines all of them in plain
PyTorch, NumPy and OpenCV. Letters in shapes, here and there: N images, R ROIs, C + 1 classes with the background first, P as
many padded (``ops.layout``), k x k position-sensitive bins of an ROI, S x S squares of the grid that an ROI is assembled to (S
is a multiple of k), h x w feature cells, H x W pixels, V instances kept by NMS.

ROIs are [R, 5] float32: image index, then x1, y1, x2, y2 of the first and the last pixel of the network's input. An ROI without
an image (index -1, not whole, or too large) or with a coordinate that is not finite gives zeros.
"""

from fcis_ros.ops import library

library.load()  # the modules below register fake kernels and gradients for operators that exist from here on

from fcis_ros.ops.assembly import best_class_masks, box_deltas, class_logits, mask_logits  # noqa: E402
from fcis_ros.ops.decode import decode_anchors, decode_rois  # noqa: E402
from fcis_ros.ops.network_input import network_input  # noqa: E402
from fcis_ros.ops.nms import class_nms, nms  # noqa: E402
from fcis_ros.ops.painting import label_map, paint  # noqa: E402
from fcis_ros.ops.vote_masks import vote_masks  # noqa: E402
from fcis_ros.ops.vote_weights import rois_to_image, vote_weights  # noqa: E402

__all__ = [
    "best_class_masks", "box_deltas", "class_logits", "class_nms", "decode_anchors", "decode_rois", "label_map", "mask_logits",
    "network_input", "nms", "paint", "rois_to_image", "vote_masks", "vote_weights",
]  # fmt: skip
