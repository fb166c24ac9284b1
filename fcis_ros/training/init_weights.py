# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Initial weights from a file: a checkpoint of this project, or a ResNet under torchvision's names."""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.findings import listing
from fcis_ros.model.checkpoint import SCORE_LAYER, in_order, open_tensors, read_metadata, stored_shape
from fcis_ros.model.fcis import FCIS
from fcis_ros.ops.layout import padded_classes

FLOATS = ("F16", "BF16", "F32", "F64")  # as safetensors calls them
LISTED = 3  # maximum number of tensor names in a line
COUNTER = "num_batches_tracked"  # BatchNorm's; nothing reads it, and older files lack it
# Settings that must be equal for weights to keep their meaning. torchvision normalises to 0..1 first, which is folded in here.
INPUT_AND_STRIDES = ("mean", "std", "pool1", "stride_in_1x1")
TORCHVISION = {
    "mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375), "pool1": "pad1_floor", "stride_in_1x1": False,
}  # fmt: skip


def initialise(model: FCIS, path: str | Path) -> list[str]:
    """Copies the tensors of a file that fit into a model; the rest of the model stays as it is.

    Tensors are matched by name and shape, the classes of the score maps by class name. The RPN's last layers are taken if the
    anchors are equal, the box maps if bins and normalisation of the deltas are.

    Args:
        model: a new model, changed in place.
        path: a checkpoint of this project; or a ``.safetensors`` file with torchvision's names, from torchvision itself or from
            ``fcis import-weights``, which becomes the backbone.

    Returns:
        Lines to print: tensors taken, tensors that start fresh with the reason, tensors not used, and settings that differ
        from those of the weights' training.

    Raises:
        InputError: the file is missing, damaged or of another kind, no tensor fits, or a fitting tensor has values that are
            not finite floating-point numbers.
    """
    with open_tensors(path) as file:
        about, names = file.metadata() or {}, [name for name in file.keys() if not name.endswith(COUNTER)]
        theirs = read_metadata(path)[0] if "format_version" in about else None
        version = about.get("format_version", "")
        if theirs is None and "conv1.weight" not in names:
            raise InputError(f"{path}: neither an fcis_ros checkpoint nor a ResNet under torchvision's names")
        stored = {name if theirs else f"backbone.{name}": name for name in names}
        wanted = {name: value for name, value in model.state_dict().items() if not name.endswith(COUNTER)}
        shapes = {name: tuple(file.get_slice(stored[name]).get_shape()) for name in stored}
        fresh = _unfit(wanted, shapes, theirs, version, model.config)
        taken = {}
        for name, value in wanted.items():
            if name in stored and name not in fresh:
                tensor = _read(path, file, stored[name], value.dtype)
                if theirs is not None and name.startswith(SCORE_LAYER):
                    tensor = _copy_classes(value, model.config, in_order(name, tensor, theirs, version), theirs)
                taken[name] = tensor
    if not taken:
        raise InputError(f"{path}: none of its {len(names)} tensors fits the model")
    model.load_state_dict(taken, strict=False)
    lines = [f"{path}: {len(taken)} of the model's {len(wanted)} tensors taken"]
    if theirs and any(name.startswith(SCORE_LAYER) for name in taken):
        lines += _describe_classes(theirs.class_names, model.config.class_names)
    for reason in dict.fromkeys(fresh.values()):
        lines.append(f"  start fresh, {reason}: {_some([name for name, why in fresh.items() if why == reason])}")
    if unused := [stored[name] for name in stored if name not in wanted]:
        lines.append(f"  not used: {_some(unused)}")
    return lines + _warnings(taken, theirs, model.config, about)


def _unfit(
    wanted: dict[str, Tensor], shapes: dict[str, tuple[int, ...]], theirs: ModelConfig | None, version: str, ours: ModelConfig
) -> dict[str, str]:
    """Returns {name of a tensor that starts fresh: reason}; a layer's weight and bias go together."""
    layers: dict[str, str] = {}
    if theirs and (theirs.anchor_scales, theirs.anchor_ratios) != (ours.anchor_scales, ours.anchor_ratios):
        layers |= dict.fromkeys(("rpn.score", "rpn.delta"), "the anchors differ")
    if theirs and theirs.all_bins != ours.all_bins:
        layers |= dict.fromkeys(("score_maps.score", "score_maps.box"), "bins differ")
    elif theirs and theirs.box_stds != ours.box_stds:
        layers["score_maps.box"] = "box_stds differ"
    for name, value in wanted.items():
        shape = tuple(value.shape)
        if theirs and name.startswith(SCORE_LAYER):  # the classes are matched later
            channels = theirs.bin_count * padded_classes(theirs.num_classes) * 2
            shape = tuple(stored_shape(name, (channels, *shape[1:]), theirs, version))
        if shapes.get(name) != shape:
            layers.setdefault(name.rpartition(".")[0], "of another shape" if name in shapes else "not in the file")
    return {name: layers[layer] for name in wanted if (layer := name.rpartition(".")[0]) in layers}


def _copy_classes(value: Tensor, ours: ModelConfig, tensor: Tensor, theirs: ModelConfig) -> Tensor:
    """Returns the model's score layer ``value`` with the channels of background and of the shared classes from ``tensor``."""
    result = value.clone()
    target = result.view(ours.bin_count, padded_classes(ours.num_classes), -1)
    source = tensor.view(theirs.bin_count, padded_classes(theirs.num_classes), -1)
    target[:, 0] = source[:, 0]
    for label, name in enumerate(ours.class_names, 1):
        if name in theirs.class_names:
            target[:, label] = source[:, 1 + theirs.class_names.index(name)]
    return result


def _read(path: str | Path, file: safe_open, name: str, dtype: torch.dtype) -> Tensor:
    stored = file.get_slice(name).get_dtype()
    if dtype.is_floating_point and stored not in FLOATS:
        raise InputError(f"{path}: {name} is of type {stored}, not one of {', '.join(FLOATS)}")
    tensor = file.get_tensor(name).to(dtype)
    if not torch.isfinite(tensor).all():
        raise InputError(f"{path}: {name} holds values that are not finite")
    return tensor


def _describe_classes(theirs: tuple[str, ...], ours: tuple[str, ...]) -> list[str]:
    classes = {
        "classes taken": ["background", *(name for name in ours if name in theirs)],
        "classes that start fresh": [name for name in ours if name not in theirs],
        "classes left behind": [name for name in theirs if name not in ours],
    }
    return [f"  {title}: {_some(names, 12)}" for title, names in classes.items() if names]


def _warnings(taken: dict[str, Tensor], theirs: ModelConfig | None, ours: ModelConfig, about: dict[str, str]) -> list[str]:
    """Returns a line for every setting that differs from that of the weights' training."""
    if theirs:
        settings = {name: getattr(theirs, name) for name in (*INPUT_AND_STRIDES, "assemble")}
    elif "imported_from" in about:  # by import-weights, with the released settings, which are the defaults of a configuration
        settings = {name: getattr(ModelConfig(class_names=ours.class_names), name) for name in INPUT_AND_STRIDES}
    else:
        settings = TORCHVISION
    lines = []
    for name, value in settings.items():
        if value != getattr(ours, name) and (name != "stride_in_1x1" or any(".conv3." in other for other in taken)):
            lines.append(f"  warning: trained with {name} {_text(value)}, the model has {_text(getattr(ours, name))}")
    return lines


def _some(names: list[str], most: int = LISTED) -> str:
    """Returns the first few names as one text; names that come from the file are escaped if they are unprintable or long."""
    return listing((name if name.isprintable() and len(name) <= 100 else ascii(name[:40]) for name in names), most)


def _text(value: Any) -> str:
    return ", ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value).lower()
