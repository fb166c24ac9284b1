# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The released FCIS network: names, shapes and channel orders of its parameters, and their names in this project.

Names are those of the released MXNet code, whose blocks are called as in the Caffe models that its backbones come from; ours
are torchvision's. Weights are [out, in, height, width] in both. Only the order of channels in the two position-sensitive
layers differs: class, side, bin in the released files; bin, class, side here, the classes padded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model.backbones.resnet import BLOCKS
from fcis_ros.model.weights_import.stored_array import StoredArray, quoted
from fcis_ros.ops.layout import padded_classes

BOTTLENECKS = ("resnet50", "resnet101", "resnet152")
FLOATS = ("float16", "bfloat16", "float32", "float64")
NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_var": "running_var"}


@dataclass(frozen=True)
class ReleasedParameter:
    """One parameter of the released network.

    Attributes:
        ours: name of the parameter in this project.
        shape: shape in the released network.
        reorder: function from the released order of channels to ours.
    """

    ours: str
    shape: tuple[int, ...]
    reorder: Callable[[np.ndarray], np.ndarray] = lambda values: values


def block_names(backbone: str) -> list[list[str]]:
    """Returns the block names of stages 2 to 5: a, b, c, ... in short stages, a, b1, b2, ... in long ones of deep networks."""
    deep = backbone != "resnet50"
    return [
        ["a", *(f"b{i}" for i in range(1, count))] if deep and stage in (3, 4) else list("abcdef"[:count])
        for stage, count in enumerate(BLOCKS[backbone], 2)
    ]


def backbone_parameters(backbone: str, width: int = 64) -> dict[str, ReleasedParameter]:
    """Returns the released parameters of a bottleneck ResNet, by released name; ours have torchvision's names."""
    converted: dict[str, ReleasedParameter] = {}

    def conv_and_norm(conv: str, norm: str, our_conv: str, our_norm: str, shape: tuple[int, ...]) -> None:
        converted[f"{conv}_weight"] = ReleasedParameter(f"{our_conv}.weight", shape)
        for theirs, ours in NORM.items():
            converted[f"{norm}_{theirs}"] = ReleasedParameter(f"{our_norm}.{ours}", shape[:1])

    conv_and_norm("conv1", "bn_conv1", "conv1", "bn1", (width, 3, 7, 7))
    inputs = width
    for stage, names in enumerate(block_names(backbone), 2):
        inner, outer = width << (stage - 2), 4 * width << (stage - 2)
        for i, name in enumerate(names):
            theirs, ours = f"{stage}{name}_branch", f"layer{stage - 1}.{i}."
            if i == 0:
                shape = (outer, inputs, 1, 1)
                conv_and_norm(f"res{theirs}1", f"bn{theirs}1", f"{ours}downsample.0", f"{ours}downsample.1", shape)
            shapes = ((inner, inputs, 1, 1), (inner, inner, 3, 3), (outer, inner, 1, 1))
            for j, shape in enumerate(shapes, 1):
                branch = f"{theirs}2{'_abc'[j]}"
                conv_and_norm(f"res{branch}", f"bn{branch}", f"{ours}conv{j}", f"{ours}bn{j}", shape)
            inputs = outer
    return converted


def parameters(config: ModelConfig) -> dict[str, ReleasedParameter]:
    """Returns all parameters of the released network with this configuration's sizes, by their released names."""
    k, classes, anchors = config.bins, config.num_classes, config.num_anchors

    def bins_first(values: np.ndarray) -> np.ndarray:  # class, side, bin -> bin, class, side
        ordered = values.reshape(classes, 2, k * k, -1).transpose(2, 0, 1, 3)
        return np.pad(ordered, ((0, 0), (0, padded_classes(classes) - classes), (0, 0), (0, 0)))

    def used_boxes(values: np.ndarray) -> np.ndarray:  # the second of two sets of boxes is used; delta, bin -> bin, delta
        return values.reshape(2, 4, k * k, -1)[1].swapaxes(0, 1)

    backbone = backbone_parameters(config.backbone, config.width)
    converted = {name: ReleasedParameter(f"backbone.{parameter.ours}", parameter.shape) for name, parameter in backbone.items()}
    c5, reduced = 32 * config.width, config.reduced_channels
    for name, ours, shape, reorder in (
        ("rpn_conv_3x3", "rpn.conv", (config.rpn_channels, c5 // 2, 3, 3), None),
        ("rpn_cls_score", "rpn.score", (2 * anchors, config.rpn_channels, 1, 1), None),
        ("rpn_bbox_pred", "rpn.delta", (4 * anchors, config.rpn_channels, 1, 1), None),
        ("conv_new_1", "score_maps.reduce", (reduced, c5, 1, 1), None),
        ("fcis_cls_seg", "score_maps.score", (2 * classes * k * k, reduced, 1, 1), bins_first),
        ("fcis_bbox", "score_maps.box", (8 * k * k, reduced, 1, 1), used_boxes),
    ):
        for part, size in (("weight", shape), ("bias", shape[:1])):
            converted[f"{name}_{part}"] = ReleasedParameter(f"{ours}.{part}", size, *([reorder] if reorder else []))
    return converted


def convert(
    path: object, stored: dict[str, StoredArray], expected: dict[str, ReleasedParameter], ignored: Callable[[str], bool]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields our parameters, one by one, from the released ones in a file.

    Names, shapes and types of all are checked before the first value is read.

    Args:
        path: path of the file, for messages.
        stored: arrays of the file, by released names.
        expected: required parameters, by released names.
        ignored: predicate of unexpected names that are skipped.

    Raises:
        InputError: a parameter is missing, unexpected, of another shape, not of floating point or not finite.
    """
    for name, parameter in expected.items():
        array = stored.get(name)
        if array is None:
            raise InputError(f"{path}: {name} is missing")
        if array.shape != parameter.shape:
            raise InputError(f"{path}: {name} has the shape {list(array.shape)}, this network needs {list(parameter.shape)}")
        if array.dtype not in FLOATS:
            raise InputError(f"{path}: {name} is {array.dtype}, weights are one of {', '.join(FLOATS)}")
    for name in stored:
        if name not in expected and not ignored(name):
            raise InputError(f"{path}: {quoted(name)} is no parameter of this network")
    return _values(path, stored, expected)


def _values(
    path: object, stored: dict[str, StoredArray], expected: dict[str, ReleasedParameter]
) -> Iterator[tuple[str, np.ndarray]]:
    for name, parameter in expected.items():
        with np.errstate(over="ignore"):  # a float64 too large for float32 becomes infinite
            values = stored[name].load().astype(np.float32, copy=False)
        if not np.isfinite(values).all():
            raise InputError(f"{path}: {name} holds values that are not finite")
        if name.endswith("_moving_var") and values.min() < 0:
            raise InputError(f"{path}: {name} holds negative variances")
        shape = (-1, *parameter.shape[1:])
        yield parameter.ours, np.ascontiguousarray(parameter.reorder(values)).reshape(shape)
        if name.endswith("_moving_var"):
            yield parameter.ours.replace("running_var", "num_batches_tracked"), np.zeros((), np.int64)
