# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Starting from weights that are there: one of our checkpoints, or a ResNet under torchvision's names."""

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model.checkpoint import SCORE_LAYER, in_order, open_tensors, read_metadata, stored_shape
from fcis_ros.model.fcis import FCIS
from fcis_ros.ops.layout import padded_classes

FLOATS = ("F16", "BF16", "F32", "F64")  # as safetensors calls them
LISTED = 3  # names of tensors in a line
COUNTER = "num_batches_tracked"  # of BatchNorm; nothing reads it, and older files lack it
# What has to be the same for weights to mean the same. torchvision normalises to 0..1 first, which is folded in here.
INPUT_AND_STRIDES = ("mean", "std", "pool1", "stride_in_1x1")
TORCHVISION = {
    "mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375), "pool1": "pad1_floor", "stride_in_1x1": False,
}  # fmt: skip


def initialise(model: FCIS, path: str | Path) -> list[str]:
    """Copies into a model what fits of a file; the rest of the model stays as it is.

    Tensors go by name and shape. Of the score maps every class goes by its own name. The RPN's last layers are taken if the
    anchors are the same, the box maps if the cells and the normalisation of the deltas are.

    Args:
        model: a fresh one, in place.
        path: a checkpoint of this project; or a ``.safetensors`` file with torchvision's names, of torchvision itself or of
            ``fcis import-weights``, which becomes the backbone.

    Returns:
        Lines for people: what is taken, what starts fresh and why, what of the file is not used, which settings differ from
        those that the weights were trained with.

    Raises:
        InputError: the file is missing, damaged or something else, nothing in it fits, or what fits has values that are no
            finite floating-point numbers.
    """
    with open_tensors(path) as file:
        about, names = file.metadata() or {}, [name for name in file.keys() if not name.endswith(COUNTER)]
        theirs = read_metadata(path)[0] if "format_version" in about else None
        version = about.get("format_version", "")
        if theirs is None and "conv1.weight" not in names:
            raise InputError(f"{path}: neither an fcis_ros checkpoint nor a ResNet under torchvision's names")
        stored = {name if theirs else f"backbone.{name}": name for name in names}
        own = {name: value for name, value in model.state_dict().items() if not name.endswith(COUNTER)}
        shapes = {name: tuple(file.get_slice(stored[name]).get_shape()) for name in stored}
        fresh = _unfit(own, shapes, theirs, version, model.config)
        taken = {}
        for name, value in own.items():
            if name in stored and name not in fresh:
                tensor = _read(path, file, stored[name], value.dtype)
                if theirs is not None and name.startswith(SCORE_LAYER):
                    tensor = _copy_classes(value, model.config, in_order(name, tensor, theirs, version), theirs)
                taken[name] = tensor
    if not taken:
        raise InputError(f"{path}: none of its {len(names)} tensors fits the model")
    model.load_state_dict(taken, strict=False)
    return _describe(path, own, taken, fresh, [stored[name] for name in stored if name not in own], theirs, model.config, about)


def _unfit(
    own: dict[str, Tensor],
    shapes: dict[str, tuple[int, ...]],
    theirs: ModelConfig | None,
    version: str,
    ours: ModelConfig,
) -> dict[str, str]:
    """{tensor of ours: why it starts fresh}; a layer's weight and bias go together.

    Args:
        own: the model's tensors.
        shapes: of the file's, under our names.
        theirs: configuration of the file's model; None of a ResNet.
        version: format version of the file, if it is one of ours.
        ours: configuration of the model.
    """
    layers: dict[str, str] = {}
    if theirs and (theirs.anchor_scales, theirs.anchor_ratios) != (ours.anchor_scales, ours.anchor_ratios):
        layers |= dict.fromkeys(("rpn.score", "rpn.delta"), "the anchors differ")
    if theirs and theirs.all_bins != ours.all_bins:
        layers |= dict.fromkeys(("score_maps.score", "score_maps.box"), "bins differ")
    elif theirs and theirs.box_stds != ours.box_stds:
        layers["score_maps.box"] = "box_stds differ"
    for name, value in own.items():
        wanted = tuple(value.shape)
        if theirs and name.startswith(SCORE_LAYER):  # the classes are sorted out later
            channels = theirs.bin_count * padded_classes(theirs.num_classes) * 2
            wanted = tuple(stored_shape(name, (channels, *wanted[1:]), theirs, version))
        if shapes.get(name) != wanted:
            layers.setdefault(name.rpartition(".")[0], "of another shape" if name in shapes else "not in the file")
    return {name: layers[layer] for name in own if (layer := name.rpartition(".")[0]) in layers}


def _copy_classes(value: Tensor, ours: ModelConfig, tensor: Tensor, theirs: ModelConfig) -> Tensor:
    """Our score layer's weight or bias with the channels of background and of every class that they have as well."""
    result = value.clone()
    here = result.view(ours.bin_count, padded_classes(ours.num_classes), -1)
    there = tensor.view(theirs.bin_count, padded_classes(theirs.num_classes), -1)
    here[:, 0] = there[:, 0]
    for label, name in enumerate(ours.class_names, 1):
        if name in theirs.class_names:
            here[:, label] = there[:, 1 + theirs.class_names.index(name)]
    return result


def _read(path: str | Path, file: safe_open, name: str, dtype: torch.dtype) -> Tensor:
    found = file.get_slice(name).get_dtype()
    if dtype.is_floating_point and found not in FLOATS:
        raise InputError(f"{path}: {name} is of type {found}, not one of {', '.join(FLOATS)}")
    tensor = file.get_tensor(name).to(dtype)
    if not torch.isfinite(tensor).all():
        raise InputError(f"{path}: {name} holds values that are not finite")
    return tensor


def _describe(
    path: str | Path,
    own: dict[str, Tensor],
    taken: dict[str, Tensor],
    fresh: dict[str, str],
    unused: list[str],
    theirs: ModelConfig | None,
    ours: ModelConfig,
    about: dict[str, str],
) -> list[str]:
    lines = [f"{path}: {len(taken)} of the model's {len(own)} tensors taken"]
    if theirs and any(name.startswith(SCORE_LAYER) for name in taken):
        shared = [name for name in ours.class_names if name in theirs.class_names]
        for what, names in (
            ("classes taken", ["background", *shared]),
            ("classes that start fresh", [name for name in ours.class_names if name not in shared]),
            ("classes left behind", [name for name in theirs.class_names if name not in shared]),
        ):
            if names:
                lines.append(f"  {what}: {_some(names, 12)}")
    for reason in dict.fromkeys(fresh.values()):
        names = [name for name, why in fresh.items() if why == reason]
        lines.append(f"  start fresh, {reason}: {_some(names)}")
    if unused:
        lines.append(f"  not used: {_some(unused)}")
    if theirs:
        settings = {name: getattr(theirs, name) for name in (*INPUT_AND_STRIDES, "assemble")}
    elif "imported_from" in about:  # by import-weights: as released, which is what a configuration says by default
        settings = {name: getattr(ModelConfig(class_names=ours.class_names), name) for name in INPUT_AND_STRIDES}
    else:
        settings = TORCHVISION
    for name, value in settings.items():
        if value != getattr(ours, name) and (name != "stride_in_1x1" or any(".conv3." in other for other in taken)):
            lines.append(f"  warning: trained with {name} {_text(value)}, the model has {_text(getattr(ours, name))}")
    return lines


def _some(names: list[str], most: int = LISTED) -> str:
    """Names, the first few of them; a file's own are shown as they are only if nothing odd is in them."""
    shown = ", ".join(name if name.isprintable() and len(name) <= 100 else ascii(name[:40]) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _text(value: Any) -> str:
    return ", ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value).lower()
