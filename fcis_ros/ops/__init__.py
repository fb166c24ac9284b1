# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The per-ROI operators of FCIS, compiled from csrc/. The model imports them from here and nowhere else.

``reference`` defines what each computes, with shapes and units; the files beside it register shapes and gradients.
"""

from fcis_ros.ops import library

library.load()

from fcis_ros.ops.best_class_masks import best_class_masks  # noqa: E402
from fcis_ros.ops.box_deltas import box_deltas  # noqa: E402 (they exist once the library is loaded)
from fcis_ros.ops.class_logits import class_logits  # noqa: E402
from fcis_ros.ops.decode import decode_anchors, decode_rois  # noqa: E402
from fcis_ros.ops.mask_logits import mask_logits  # noqa: E402
from fcis_ros.ops.network_input import network_input  # noqa: E402
from fcis_ros.ops.nms import class_nms, nms  # noqa: E402
from fcis_ros.ops.painting import label_map, paint  # noqa: E402
from fcis_ros.ops.vote_masks import vote_masks  # noqa: E402
from fcis_ros.ops.vote_weights import rois_to_image, vote_weights  # noqa: E402

__all__ = [
    "box_deltas", "class_logits", "class_nms", "decode_anchors", "decode_rois", "vote_weights", "label_map", "mask_logits",
    "network_input", "nms", "paint", "rois_to_image", "vote_masks", "best_class_masks",
]  # fmt: skip
