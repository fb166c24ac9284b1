# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""ChainerCV's ``FCISResNet101``: its arrays under the released names and in the released order.

Its ``mxnet2npz.py`` made them from the released files: boxes are y, x, height, width, and the two scores of an anchor are
neighbours.
"""

import re

import numpy as np

from fcis_ros.model.weights_import.released import block_names
from fcis_ros.model.weights_import.stored_array import StoredArray, add

NORM = {"gamma": "gamma", "beta": "beta", "avg_mean": "moving_mean", "avg_var": "moving_var"}
CONVS = {"residual_conv": "1", "conv1": "2a", "conv2": "2b", "conv3": "2c"}
HEADS = {
    "rpn/conv1": "rpn_conv_3x3",
    "rpn/score": "rpn_cls_score",
    "rpn/loc": "rpn_bbox_pred",
    "head/conv1": "conv_new_1",
    "head/cls_seg": "fcis_cls_seg",
    "head/ag_loc": "fcis_bbox",
}


def is_chainercv(stored: dict[str, StoredArray]) -> bool:
    return "head/ag_loc/W" in stored


def to_released(path: object, stored: dict[str, StoredArray], bins: int) -> dict[str, StoredArray]:
    """Returns the arrays by their released names; unknown names are kept, counters of normalisation removed.

    Raises:
        InputError: two arrays of the file ``path`` are the same parameter.
    """
    arrays: dict[str, StoredArray] = {}
    for name, array in stored.items():
        if re.fullmatch(r"extractor/.*/bn/N", name):
            continue
        theirs = released_name(name)
        add(arrays, path, theirs, _reordered(theirs, array, bins))
    return arrays


def released_name(name: str) -> str:
    """Returns the released name of an array of ChainerCV; other names are returned unchanged."""
    layer, _, part = name.rpartition("/")
    if layer in HEADS and part in ("W", "b"):
        return f"{HEADS[layer]}_{'weight' if part == 'W' else 'bias'}"
    if not (match := re.fullmatch(r"extractor/(?:res(\d)/(\w+)/)?(\w+)/(conv|bn)/(\w+)", name)):
        return name
    stage, block, conv, kind, part = match.groups()
    end = "weight" if (kind, part) == ("conv", "W") else NORM.get(part) if kind == "bn" else None
    if end is None:
        return name
    if stage is None:
        return f"{'bn_' if kind == 'bn' else ''}conv1_{end}" if conv == "conv1" else name
    number = 0 if block == "a" else int(block[1:]) if re.fullmatch(r"b[1-9]\d?", block) else -1
    names = block_names("resnet101")
    if conv not in CONVS or not 2 <= int(stage) <= 5 or not 0 <= number < len(names[int(stage) - 2]):
        return name
    prefix = "bn" if kind == "bn" else "res"
    return f"{prefix}{stage}{names[int(stage) - 2][number]}_branch{CONVS[conv]}_{end}"


def _reordered(name: str, array: StoredArray, bins: int) -> StoredArray:
    def sides_first(values: np.ndarray) -> np.ndarray:  # anchor, side -> side, anchor
        return values.reshape(-1, 2, *array.shape[1:]).swapaxes(0, 1)

    def x_first(values: np.ndarray) -> np.ndarray:  # of the four deltas of an anchor, or of a set of box maps
        split = (-1, 4, 1) if name.startswith("rpn") else (2, 4, bins * bins)
        return values.reshape(*split, *array.shape[1:])[:, [1, 0, 3, 2]]

    if name.startswith("rpn_cls_score"):
        reorder = sides_first
    elif name.startswith(("rpn_bbox_pred", "fcis_bbox")):
        reorder = x_first
    else:
        return array
    return StoredArray(array.shape, array.dtype, lambda: reorder(array.load()).reshape(array.shape))
