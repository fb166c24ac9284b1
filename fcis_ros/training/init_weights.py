# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Initial weights: a checkpoint of this project, a ResNet under torchvision's names, or a package with ImageNet weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.findings import listing
from fcis_ros.model.checkpoint import SCORE_LAYER, in_order, open_tensors, read_metadata, stored_shape
from fcis_ros.model.fcis import FCIS
from fcis_ros.ops.layout import padded_classes
from fcis_ros.training.pretrained import INPUT, PACKAGES, Pretrained, find_pretrained, original_names, read_pretrained

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
LISTED = 3  # maximum number of tensor names in a line
COUNTER = "num_batches_tracked"  # BatchNorm's; nothing reads it, and older files lack it
# Settings that must be equal for weights to keep their meaning. torchvision normalises to 0..1 first, which is folded in here.
INPUT_AND_STRIDES = ("mean", "std", "pool1", "stride_in_1x1")
LAYERS_OF = {"pool1": "backbone.layer1.", "stride_in_1x1": ".conv3."}  # only these have their meaning from the setting
TORCHVISION = {
    "mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375), "pool1": "pad1_floor", "stride_in_1x1": False,
}  # fmt: skip


@dataclass(frozen=True)
class _Stored:
    """Tensors to choose from.

    Attributes:
        path: path of their file.
        names: {name in the model: name in the file}.
        shapes: {name in the model: shape in the file}.
        tensor: function from a name in the file to the tensor.
        settings: settings of their training that the model should share.
        config: configuration of a checkpoint's network; None for the weights of a backbone.
        version: format version of a checkpoint.
    """

    path: Path
    names: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    tensor: Callable[[str], Tensor]
    settings: dict[str, Any]
    config: ModelConfig | None = None
    version: str = ""


def find_weights(text: str, config: ModelConfig) -> Path | Pretrained:
    """Returns the weights that ``--init`` names.

    Args:
        text: name of a backbone of ``pretrained.PACKAGES``, or the path of a file.
        config: configuration of the model that is initialised.

    Raises:
        InputError: the backbone is not the model's, or its package is not installed.
    """
    if text not in PACKAGES:
        return Path(text)
    if text != config.backbone:  # many shapes of the others are equal
        raise InputError(f"--init {text}: the model's backbone is {config.backbone}")
    return find_pretrained(text)


def initialise(model: FCIS, source: Path | Pretrained) -> list[str]:
    """Copies the tensors of a source that fit into a model; the rest of the model stays as it is.

    Tensors are matched by name and shape, the classes of the score maps by class name. The RPN's last layers are taken if the
    anchors are equal, the box maps if bins and normalisation of the deltas are.

    Args:
        model: a new model, changed in place.
        source: a checkpoint of this project; or a ``.safetensors`` file with torchvision's names, from torchvision itself or
            from ``fcis import-weights``, or a package's weights of the model's backbone, which become the backbone.

    Returns:
        Lines to print: tensors taken, tensors that start fresh with the reason, tensors not used, and settings that differ
        from those of the weights' training.

    Raises:
        InputError: the file is missing, damaged or of another kind, no tensor fits, or a fitting tensor has values that are
            not finite floating-point numbers.
    """
    stored = _read_package(source) if isinstance(source, Pretrained) else _open_file(source, model.config)
    wanted = {name: value for name, value in model.state_dict().items() if not name.endswith(COUNTER)}
    theirs, fresh = stored.config, _unfit(wanted, stored, model.config)
    taken = {}
    for name, value in wanted.items():
        if name in stored.names and name not in fresh:
            tensor = _checked(stored, name, value.dtype)
            if theirs is not None and name.startswith(SCORE_LAYER):
                tensor = _copy_classes(value, model.config, in_order(name, tensor, theirs, stored.version), theirs)
            taken[name] = tensor
    if not taken:
        raise InputError(f"{stored.path}: none of its {len(stored.names)} tensors fits the model")
    model.load_state_dict(taken, strict=False)
    lines = [f"{stored.path}: {len(taken)} of the model's {len(wanted)} tensors taken"]
    if theirs and any(name.startswith(SCORE_LAYER) for name in taken):
        lines += _describe_classes(theirs.class_names, model.config.class_names)
    for reason in dict.fromkeys(fresh.values()):
        lines.append(f"  start fresh, {reason}: {_some([name for name, why in fresh.items() if why == reason])}")
    if unused := [stored.names[name] for name in stored.names if name not in wanted]:
        lines.append(f"  not used: {_some(unused)}")
    return lines + _warnings(taken, stored.settings, model.config)


def _open_file(path: Path, ours: ModelConfig) -> _Stored:
    file = open_tensors(path)
    about, names = file.metadata() or {}, [name for name in file.keys() if not name.endswith(COUNTER)]
    theirs = read_metadata(path)[0] if "format_version" in about else None
    if theirs is not None:
        settings = {name: getattr(theirs, name) for name in (*INPUT_AND_STRIDES, "stride", "features", "assemble")}
    elif "conv1.weight" not in names:
        raise InputError(f"{path}: neither an fcis_ros checkpoint nor a ResNet under torchvision's names")
    elif "imported_from" in about:  # by import-weights, with the released settings, which are the defaults of a configuration
        settings = {name: getattr(ModelConfig(class_names=ours.class_names), name) for name in INPUT_AND_STRIDES}
    else:
        settings = TORCHVISION
    by_ours = {name if theirs else f"backbone.{name}": name for name in names}
    shapes = {name: tuple(file.get_slice(stored).get_shape()) for name, stored in by_ours.items()}
    return _Stored(path, by_ours, shapes, file.get_tensor, settings, theirs, about.get("format_version", ""))


def _read_package(source: Pretrained) -> _Stored:
    names, tensors = original_names(source.backbone), read_pretrained(source)
    by_ours = {f"backbone.{name}": names[name] for name in tensors}
    shapes = {f"backbone.{name}": tuple(tensor.shape) for name, tensor in tensors.items()}
    stored = {names[name]: tensor for name, tensor in tensors.items()}
    return _Stored(source.path, by_ours, shapes, stored.__getitem__, dict(INPUT))


def _unfit(wanted: dict[str, Tensor], stored: _Stored, ours: ModelConfig) -> dict[str, str]:
    """Returns {name of a tensor that starts fresh: reason}; a layer's weight and bias go together."""
    layers: dict[str, str] = {}
    theirs, shapes = stored.config, stored.shapes
    if theirs and _anchors(theirs) != _anchors(ours):
        layers |= dict.fromkeys(("rpn.score", "rpn.delta"), "the anchors differ")
    if theirs and theirs.all_bins != ours.all_bins:
        layers |= dict.fromkeys(("score_maps.score", "score_maps.box"), "bins differ")
    elif theirs and theirs.box_stds != ours.box_stds:
        layers["score_maps.box"] = "box_stds differ"
    for name, value in wanted.items():
        shape = tuple(value.shape)
        if theirs and name.startswith(SCORE_LAYER):  # the classes are matched later
            channels = theirs.bin_count * padded_classes(theirs.num_classes) * 2
            shape = tuple(stored_shape(name, (channels, *shape[1:]), theirs, stored.version))
        if shapes.get(name) != shape:
            layers.setdefault(name.rpartition(".")[0], "of another shape" if name in shapes else "not in the file")
    return {name: layers[layer] for name in wanted if (layer := name.rpartition(".")[0]) in layers}


def _anchors(config: ModelConfig) -> tuple:
    return config.stride, config.anchor_scales, config.anchor_ratios


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


def _checked(stored: _Stored, name: str, dtype: torch.dtype) -> Tensor:
    tensor, stored_name = stored.tensor(stored.names[name]), stored.names[name]
    if dtype.is_floating_point and tensor.dtype not in FLOATS:
        kind, *floats = (str(kind).removeprefix("torch.") for kind in (tensor.dtype, *FLOATS))
        raise InputError(f"{stored.path}: {stored_name} is of type {kind}, not one of {', '.join(floats)}")
    tensor = tensor.to(dtype)
    if not torch.isfinite(tensor).all():
        raise InputError(f"{stored.path}: {stored_name} holds values that are not finite")
    return tensor


def _describe_classes(theirs: tuple[str, ...], ours: tuple[str, ...]) -> list[str]:
    classes = {
        "classes taken": ["background", *(name for name in ours if name in theirs)],
        "classes that start fresh": [name for name in ours if name not in theirs],
        "classes left behind": [name for name in theirs if name not in ours],
    }
    return [f"  {title}: {_some(names, 12)}" for title, names in classes.items() if names]


def _warnings(taken: dict[str, Tensor], settings: dict[str, Any], ours: ModelConfig) -> list[str]:
    """Returns a line for every setting that differs from that of the weights' training."""
    lines = []
    for name, value in settings.items():
        if value != getattr(ours, name) and any(LAYERS_OF.get(name, "") in other for other in taken):
            lines.append(f"  warning: trained with {name} {_text(value)}, the model has {_text(getattr(ours, name))}")
    return lines


def _some(names: list[str], most: int = LISTED) -> str:
    """Returns the first few names as one text; names that come from the file are escaped if they are unprintable or long."""
    return listing((name if name.isprintable() and len(name) <= 100 else ascii(name[:40]) for name in names), most)


def _text(value: Any) -> str:
    return ", ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value).lower()
