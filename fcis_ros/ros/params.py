# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The parameters of the node: one table for declaration, validation, the YAML file, launch arguments and documentation."""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from fcis_ros.errors import InputError
from fcis_ros.structures import Instances


@dataclass(frozen=True)
class Parameter:
    """One row of the table.

    Attributes:
        name: the name of the parameter.
        default: the default value, which has the parameter's type.
        description: one or two sentences for users.
        limits: the smallest and largest value of a number.
        choices: the allowed words.
        read_only: whether it can be set at the start only.
        launch: whether ``camera.launch.py`` has an argument of this name.
        any_type: whether a value of another type is accepted, too.
    """

    name: str
    default: Any
    description: str
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False
    launch: bool = False
    any_type: bool = False

    @property
    def constraint(self) -> str:
        """The allowed values in words; empty if every value of the type is allowed."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return f"{self.limits[0]} to {self.limits[1]}" if self.limits else ""


PARAMETERS = (
    Parameter("model", "",
              "Path of a checkpoint (.safetensors) or of what `fcis export` wrote; empty for the included checkpoint.",
              read_only=True, launch=True),
    Parameter("device", "auto", "Device of the network: auto, cpu, cuda or cuda:N; a missing device is an error.",
              read_only=True, launch=True),
    Parameter("precision", "auto",
              "Precision of the convolutions: fp32, tf32, bf16, fp16, or auto, which depends on the hardware only.",
              choices=("auto", "fp32", "tf32", "bf16", "fp16"), read_only=True, launch=True),
    Parameter("threads", 0, "Number of CPU threads of the network; 0 for PyTorch's default.", (0, 1024),
              read_only=True, launch=True),
    Parameter("max_batch", 0, "Maximum number of frames of different cameras computed together; 0 for 8 on a GPU and 1 on a "
              "CPU, where batches are not faster.", (0, 64), read_only=True),
    Parameter("autostart", True, "Whether the node configures and activates itself; false leaves that to a lifecycle manager.",
              read_only=True, launch=True),
    Parameter("cameras", [""], "Names of several cameras, each with separate topics (NAME/image, ~/NAME/masks); empty for "
              "one camera (image, ~/masks).", read_only=True, launch=True),
    Parameter("transport", "auto", "Subscribed topic: the raw image, its compressed topic, or auto: raw if it has a "
              "publisher.", choices=("auto", "raw", "compressed"), read_only=True, launch=True),
    Parameter("input_qos", "auto", "Quality of service of the subscriptions; auto is as strict as the publishers allow.",
              choices=("auto", "sensor_data", "reliable", "system_default"), read_only=True, launch=True),
    Parameter("frame_policy", "latest", "Frames to compute: latest keeps the newest waiting frame only; every computes them "
              "in order, and up to queue_size frames wait.", choices=("latest", "every"), read_only=True, launch=True),
    Parameter("queue_size", 64, "Maximum number of waiting frames per camera with frame_policy every; when full, the oldest "
              "is dropped.", (1, 10_000), read_only=True),
    Parameter("track", False, "Whether instances get track ids that persist from frame to frame.", read_only=True, launch=True),
    Parameter("enable", True, "Whether images are received; false drops the subscriptions and keeps the model loaded."),
    Parameter("score_threshold", 0.5, "Minimum score of published instances.", (0.0, 1.0), launch=True),
    Parameter("classes", [""], "Names of the published classes; empty for all classes of the model."),
    Parameter("max_instances", 100, "Maximum number of instances per frame, highest scores first.", (1, 1000)),
    Parameter("max_age_ms", 0, "Maximum age of a frame, by its stamp, when its turn comes; older ones are skipped and counted; "
              "0 for no limit.", (0, 3_600_000), launch=True),
    Parameter("silence_s", 3.0, "Seconds without an image after which the node reports why none arrives.", (0.5, 3600.0)),
    Parameter("overlay_score_threshold", 0.0, "Minimum score of the published instances that are drawn.", (0.0, 1.0)),
    Parameter("overlay_alpha", 0.5, "Opacity of the masks in the overlay.", (0.0, 1.0)),
    Parameter("overlay_contour", 3, "Thickness of the outlines, in pixels of an image of 1080 rows; scaled with it.", (1, 20)),
    Parameter("overlay_text", ["class", "score", "id"], "Text at each instance, any of class, score and id; [''] for none."),
    Parameter("overlay_colours", "class", "Meaning of the colours in the overlay.", choices=("class", "id")),
)  # fmt: skip


def text_of(value: Any) -> str:
    """Returns a value as written on a command line."""
    if isinstance(value, (list, tuple)):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def violated(row: Parameter, value: Any) -> str:
    """Returns what a value of the right type should be and is not, by limits and choices; empty if it may be right."""
    if row.limits and not row.limits[0] <= value <= row.limits[1]:
        return f"within {row.constraint}"
    return row.constraint if row.choices and value not in row.choices else ""


def from_text(row: Parameter, text: str) -> Any:
    """Returns the value of a command-line argument; lists may have brackets.

    Raises:
        InputError: the value has another type or is out of range.
    """
    kind = type(row.default)
    if kind is list:
        return [entry.strip(" '\"") for entry in text.strip().strip("[]").split(",")]
    words = {"true": True, "false": False}
    try:
        value = words[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise InputError(f"argument {row.name}: {text!r} is not of type {kind.__name__}") from None
    if wrong := violated(row, value):
        raise InputError(f"argument {row.name}: {text!r} is not {wrong}")
    return value


@dataclass(frozen=True)
class Settings:
    """The parameters that may change at run time, as the worker uses them."""

    enable: bool
    score_threshold: float
    classes: tuple[str, ...]
    max_instances: int
    max_age_ms: int
    silence_s: float
    overlay_score_threshold: float
    overlay_alpha: float
    overlay_contour: int
    overlay_text: tuple[str, ...]
    overlay_colours: str

    def keep(self, instances: Instances) -> np.ndarray:
        """Returns [K] indices of the instances to publish, highest scores first."""
        kept = instances.scores >= self.score_threshold
        if self.classes:
            kept &= np.isin([instances.class_names[label - 1] for label in instances.labels], self.classes).reshape(kept.shape)
        return np.flatnonzero(kept)[: self.max_instances]


@dataclass
class CurrentSettings:
    """The settings at this moment: the executor's thread replaces ``value`` as a whole, other threads read it."""

    value: Settings


SETTINGS = {field.name for field in dataclasses.fields(Settings)}
CAMERA_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
RESERVED = {"masks", "overlay", "labels", "labels_color", "segment"}  # ~/masks/masks would be confusing


def descriptor(row: Parameter) -> ParameterDescriptor:
    """Returns a row as ``ros2 param describe`` shows it."""
    described = ParameterDescriptor(description=row.description, read_only=row.read_only, dynamic_typing=row.any_type)
    if row.choices:
        described.additional_constraints = row.constraint
    elif row.limits and isinstance(row.default, float):
        described.floating_point_range = [FloatingPointRange(from_value=row.limits[0], to_value=row.limits[1])]
    elif row.limits:
        described.integer_range = [IntegerRange(from_value=int(row.limits[0]), to_value=int(row.limits[1]), step=1)]
    return described


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Returns the run-time settings among the values of all parameters.

    Raises:
        InputError: a value cannot be used.
    """
    settings = Settings(**{name: _value(values[name]) for name in SETTINGS})
    check(settings, None)
    return settings


def check_choice(row: Parameter, value: Any) -> None:
    """Raises InputError for a word that the parameter does not have."""
    if row.choices and value not in row.choices:
        raise InputError(f"parameter {row.name}: {value!r} is not {row.constraint}")


def cameras(names: list[str]) -> tuple[str, ...]:
    """Returns the names in the parameter ``cameras``; one empty name for a single, unnamed camera.

    Raises:
        InputError: a name cannot be part of a topic, or occurs twice.
    """
    given = tuple(name for name in names if name)
    for name in given:
        if not CAMERA_NAME.fullmatch(name):
            raise InputError(f"parameter cameras: {name!r} is not a name of letters, digits and underscores")
        if name in RESERVED:
            raise InputError(f"parameter cameras: {name!r} is the name of a topic of this node")
        if given.count(name) > 1:
            raise InputError(f"parameter cameras: duplicate camera name {name!r}")
    return given or ("",)


def changed(settings: Settings, parameters: list[Any]) -> Settings:
    """Returns the settings after a request to set some parameters; read-only ones are ignored."""
    return dataclasses.replace(settings, **{p.name: _value(p.value) for p in parameters if p.name in SETTINGS})


def _value(value: Any) -> Any:
    return tuple(entry for entry in value if entry) if isinstance(value, (list, tuple)) else value


def check(settings: Settings, class_names: tuple[str, ...] | None) -> None:
    """Raises InputError for values that ranges cannot exclude; class names are checked once a model is loaded."""
    for row in (row for row in PARAMETERS if not row.read_only):
        value = getattr(settings, row.name)
        check_choice(row, value)
        if isinstance(value, float) and not math.isfinite(value):  # NaN passes every range
            raise InputError(f"parameter {row.name}: must be a number, {row.constraint}")
    parts = set(settings.overlay_text)
    if parts - {"class", "score", "id"} or len(parts) < len(settings.overlay_text):
        raise InputError("parameter overlay_text: expected class, score and id, each at most once")
    unknown = [name for name in settings.classes if class_names is not None and name not in class_names]
    if unknown:
        raise InputError(f"parameter classes: {unknown[0]!r} is not a class of the model ({', '.join(class_names)})")
