# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One ``.safetensors`` file per model: weights, and in its metadata the format version, configuration and provenance."""

import json
import os
import reprlib
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fcis_ros.config import ModelConfig, json_object
from fcis_ros.errors import InputError
from fcis_ros.files import atomic_path
from fcis_ros.model.fcis import FCIS
from fcis_ros.ops.layout import padded_classes, padding_of
from fcis_ros.package_data import package_file

FORMAT_VERSION = "3"
OLDER_VERSION = "2"  # its score maps have no padding and another order: channel ((i*k + j)*2 + side)*(C+1) + class
SCORE_LAYER = "score_maps.score."
DEFAULT_NAME = "fcis_road_lite0.safetensors"
MAX_HEADER = 4 << 20  # bytes; 1000 tensors and a configuration take 0.1 MB
DTYPES = {torch.float32: "F32", torch.int64: "I64"}  # as safetensors calls them; the counters of BatchNorm are int64


def default_checkpoint() -> Path:
    """Returns the path of the checkpoint that comes with the package.

    Raises:
        InputError: the checkpoint is not installed.
    """
    return package_file("weights", DEFAULT_NAME)


def save(path: str | Path, model: FCIS, provenance: dict[str, Any]) -> None:
    """Writes a checkpoint, whole or not at all.

    Args:
        path: the ``.safetensors`` file.
        model: the network, whose BatchNorm must not be folded.
        provenance: description of the training, JSON types.
    """
    write(path, arrays(model.state_dict()), metadata(model.config, provenance))


def arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Returns tensors as the arrays that ``write`` takes."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}


def metadata(config: ModelConfig, provenance: dict[str, Any]) -> dict[str, str]:
    """Returns the metadata of a checkpoint."""
    config_text, provenance_text = json.dumps(config.to_dict()), json.dumps(provenance)
    return {"format_version": FORMAT_VERSION, "config": config_text, "provenance": provenance_text}


def write(path: str | Path, tensors: dict[str, np.ndarray], about: dict[str, str]) -> None:
    """Writes a ``.safetensors`` file, whole or not at all.

    Args:
        path: the file.
        tensors: arrays by name.
        about: metadata of the file.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        with atomic_path(Path(path)) as partial:
            save_file(tensors, partial, about)
            partial.chmod(0o644)  # safetensors makes files that others cannot read; a model is installed for all users
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None


def read_metadata(path: str | Path) -> tuple[ModelConfig, dict[str, Any]]:
    """Returns configuration and provenance of a checkpoint, without loading its weights.

    Raises:
        InputError: the file is missing, damaged, of an unknown format version, or not a checkpoint of this project.
    """
    with open_tensors(path) as file:
        return _parse(path, file.metadata() or {})[1:]


def read_version(path: str | Path) -> str:
    """Returns the format version of a checkpoint; weights of an older one are converted when they are loaded.

    Raises:
        InputError: as for ``read_metadata``.
    """
    with open_tensors(path) as file:
        return _parse(path, file.metadata() or {})[0]


def stored_shape(name: str, shape: Sequence[int], config: ModelConfig, version: str) -> list[int]:
    """Returns the shape in a file of this format version of a tensor that has ``shape`` in the model."""
    if version == OLDER_VERSION and name.startswith(SCORE_LAYER):
        return [config.bin_count * 2 * config.num_classes, *shape[1:]]
    return list(shape)


def in_order(name: str, tensor: Tensor, config: ModelConfig, version: str) -> Tensor:
    """Returns a tensor of ``stored_shape`` in the order of the model; the padding is zero."""
    if version != OLDER_VERSION or not name.startswith(SCORE_LAYER):
        return tensor
    ordered = tensor.unflatten(0, (config.bin_count, 2, config.num_classes)).transpose(1, 2)
    padding = padded_classes(config.num_classes) - config.num_classes
    zeros = ordered.new_zeros(config.bin_count, padding, *ordered.shape[2:])
    return torch.cat([ordered, zeros], dim=1).flatten(0, 2)


def load(path: str | Path) -> FCIS:
    """Loads a model, in evaluation mode, on the CPU.

    Names, shapes and types are compared before a weight is read or allocated. The weights are copied: the file may change
    afterwards. Those of format version 2 are put in order.

    Raises:
        InputError: as for ``read_metadata``, or the weights do not fit the configuration, are not float32, or not finite.
    """
    with open_tensors(path) as file:
        version, config, _ = _parse(path, file.metadata() or {})
        model = blueprint(config)
        expected = model.state_dict()
        names = set(file.keys())
        for name in sorted(expected.keys() | names):
            if name not in names:
                raise InputError(f"checkpoint {path}: tensor {name} is missing")
            if name not in expected:
                raise InputError(f"checkpoint {path}: unexpected tensor {reprlib.repr(name)}")
            stored = file.get_slice(name)
            shape, dtype = list(stored.get_shape()), stored.get_dtype()
            if shape != (wanted := stored_shape(name, expected[name].shape, config, version)):
                raise InputError(
                    f"checkpoint {path}: {name} has shape {shape}, "
                    f"its {len(config.class_names)} classes and configuration need {wanted}"
                )
            if dtype != (needed := DTYPES[expected[name].dtype]):
                raise InputError(f"checkpoint {path}: {name} is of type {dtype}, not {needed}")
        tensors = {}
        for name in expected:
            tensors[name] = in_order(name, file.get_tensor(name).clone(), config, version)
            if not torch.isfinite(tensors[name]).all():
                raise InputError(f"checkpoint {path}: {name} holds values that are not finite")
            if name.startswith(SCORE_LAYER) and padding_of(tensors[name], config.bin_count, config.num_classes).any():
                raise InputError(f"checkpoint {path}: {name} is of more than its {len(config.class_names)} classes")
    model.load_state_dict(tensors, assign=True)
    return model.eval()


class _NoRandomValues(TorchFunctionMode):
    """Leaves out initialisation, for which PyTorch's meta device would import its compiler (2 s)."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function.__name__ in ("normal_", "uniform_", "kaiming_normal_", "kaiming_uniform_"):
            return None  # callers ignore it
        return function(*args, **(kwargs or {}))


def blueprint(config: ModelConfig) -> FCIS:
    """Returns a network whose weights have shapes and types, but no memory (on PyTorch's meta device)."""
    with torch.device("meta"), _NoRandomValues():
        return FCIS(config)


def open_tensors(path: str | Path) -> safe_open:
    """Opens a ``.safetensors`` file for reading.

    Raises:
        InputError: the file is missing, cannot be read, or is damaged.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(f"checkpoint {path}: not a file")
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
    except FileNotFoundError:
        raise InputError(f"checkpoint {path}: no such file") from None
    except OSError as error:
        raise InputError(f"checkpoint {path}: cannot be read ({error.strerror})") from None
    try:
        if length > MAX_HEADER:
            raise SafetensorError(f"a header of {length} bytes, at most {MAX_HEADER} are possible")
        return safe_open(path, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise InputError(f"checkpoint {path}: not a readable safetensors file ({error})") from None


def _parse(path: str | Path, metadata: dict[str, str]) -> tuple[str, ModelConfig, dict[str, Any]]:
    version = metadata.get("format_version")
    if version is None or "config" not in metadata:
        raise InputError(f"checkpoint {path}: not an fcis_ros checkpoint (its metadata has no format_version or config)")
    if version not in (OLDER_VERSION, FORMAT_VERSION):
        given = reprlib.repr(version)[1:-1]
        raise InputError(
            f"checkpoint {path}: format version {given}, this release reads versions {OLDER_VERSION} and {FORMAT_VERSION}"
        )
    provenance = json_object(metadata.get("provenance", "{}"), f"checkpoint {path}: provenance")
    try:
        return version, ModelConfig.from_dict(json_object(metadata["config"], "model config")), provenance
    except InputError as error:
        raise InputError(f"checkpoint {path}: {error}") from None
