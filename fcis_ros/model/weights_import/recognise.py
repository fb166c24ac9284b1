# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recognises the network in a file of weights."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model.weights_import import chainercv, mxnet_params, npz, released
from fcis_ros.model.weights_import.stored_array import StoredArray
from fcis_ros.package_data import package_file

RELEASED = {(81, 12): "resnet101_coco", (21, 9): "resnet101_voc"}  # classes with background, anchors: configuration


@dataclass(frozen=True)
class Recognised:
    """Contents of a file whose names, shapes and types are correct.

    Attributes:
        kind: kind of network and file, in words.
        config: configuration of the FCIS network; None for an ImageNet classifier, of which the backbone is taken.
        tensors: names and values of this project, read one by one; InputError where a value is not finite.
        count: number of tensors.
    """

    kind: str
    config: ModelConfig | None
    tensors: Iterator[tuple[str, np.ndarray]]
    count: int


def recognise(path: str | Path, config: ModelConfig | None = None) -> Recognised:
    """Recognises a file by names and shapes, without reading its values.

    Args:
        path: MXNet's ``.params``, of the released FCIS or of a ResNet that its training starts from, or ChainerCV's ``.npz``.
        config: configuration of the network; None for the released COCO or VOC model, by the numbers of classes and anchors.

    Raises:
        InputError: the file is missing, damaged, or does not hold such a network.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if zipfile.is_zipfile(path) or path.suffix == ".npz":
        form, stored = "NumPy .npz", npz.read(path)
    else:
        refuse_known(path)
        form, stored = "MXNet .params", mxnet_params.read(path)
    bins = config.bins if config else 7
    if chainercv.is_chainercv(stored):
        form, stored = "ChainerCV .npz", chainercv.to_released(path, stored, bins)
    if "fcis_cls_seg_weight" not in stored and "rpn_cls_score_weight" not in stored:
        return imagenet(path, form, stored)
    config = config or released_config(path, stored)
    if config.backbone not in released.BOTTLENECKS:
        raise InputError(f"{path}: {config.backbone} has no released names; use one of {', '.join(released.BOTTLENECKS)}")
    if config.features != "c5" or config.more_bins:
        raise InputError(f"{path}: the released network has neither a pyramid nor more_bins")
    expected = released.parameters(config)
    tensors = released.convert(path, stored, expected, lambda name: name.removesuffix("_test") in expected)
    return Recognised(f"FCIS, {form}", config, tensors, count(expected))


def refuse_known(path: Path) -> None:
    """Raises InputError with advice for other files of weights."""
    with open(path, "rb") as file:
        start = file.read(9)
    if start[8:9] == b"{":
        raise InputError(f"{path}: a .safetensors file; it needs no import")
    if start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise InputError(f"{path}: a Python pickle, which is never read: save the weights as .safetensors")


def released_config(path: Path, stored: dict[str, StoredArray]) -> ModelConfig:
    """Returns the configuration of the released model with these numbers of classes and anchors."""
    sizes = []
    for name, each in (("fcis_cls_seg_weight", 2 * 7 * 7), ("rpn_cls_score_weight", 2)):
        channels = stored[name].shape[0] if name in stored and stored[name].shape else 0
        sizes.append(channels // each if channels % each == 0 else 0)
    classes, anchors = sizes
    if (classes, anchors) not in RELEASED:
        raise InputError(
            f"{path}: {classes} classes (with background) and {anchors} anchors are not the released COCO (81, 12) or VOC "
            f"(21, 9) model; say with --config what they are"
        )
    return ModelConfig.read(package_file("config/models", f"{RELEASED[classes, anchors]}.json"))


def imagenet(path: Path, form: str, stored: dict[str, StoredArray]) -> Recognised:
    """Returns the backbone of an ImageNet classifier, with torchvision's names."""
    for backbone in reversed(released.BOTTLENECKS):
        expected = released.backbone_parameters(backbone)
        deepest = f"res4{released.block_names(backbone)[2][-1]}_branch2a_weight"
        if deepest in stored:
            tensors = released.convert(path, stored, expected, lambda name: name.startswith("fc"))
            return Recognised(f"ImageNet {backbone}, {form}", None, tensors, count(expected))
    if "stage1_unit1_conv1_weight" in stored:
        raise InputError(f"{path}: a pre-activation ResNet (version 2); FCIS starts from version 1")
    raise InputError(f"{path}: neither FCIS nor a ResNet-50, 101 or 152 under the names of the released code")


def count(expected: dict[str, released.ReleasedParameter]) -> int:
    """Returns the number of converted tensors: every normalisation also has a counter."""
    return len(expected) + sum(name.endswith("_moving_var") for name in expected)
