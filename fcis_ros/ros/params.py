# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: one table for declaration, validation, the YAML file, launch arguments and documentation."""

import dataclasses
import math
import re
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
        name: of the parameter.
        default: whose type is the parameter's.
        description: one sentence or two, for people.
        limits: least and greatest value of a number.
        choices: the words it can be.
        read_only: set at the start only.
        launch: an argument of ``camera.launch.py``, too.
    """

    name: str
    default: Any
    description: str
    limits: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False
    launch: bool = False

    @property
    def constraint(self) -> str:
        """What its values are, in words; empty where anything of its type goes."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return f"{self.limits[0]} to {self.limits[1]}" if self.limits else ""


PARAMETERS = (
    Parameter("model", "",
              "Checkpoint, a .safetensors file of this project or what `fcis export` made; empty for the one included.",
              read_only=True, launch=True),
    Parameter("device", "auto", "Where the network computes: auto, cpu, cuda or cuda:N; one that is not there is an error.",
              read_only=True, launch=True),
    Parameter("precision", "auto",
              "Of the convolutions: fp32, tf32, bf16, fp16, or auto, which follows from the hardware alone.",
              read_only=True, launch=True),
    Parameter("threads", 0, "CPU threads of the network; 0 leaves the choice to PyTorch.", (0, 1024),
              read_only=True, launch=True),
    Parameter("max_batch", 0, "Frames of different cameras computed together, if so many wait; 0 is 8 on a GPU and 1 on a CPU, "
              "which gains nothing by it.", (0, 64), read_only=True),
    Parameter("autostart", True, "Configure and activate at start; false leaves that to a lifecycle manager.",
              read_only=True, launch=True),
    Parameter("cameras", [""], "Names of several cameras, each with topics of its own (NAME/image, ~/NAME/masks); empty for "
              "one camera (image, ~/masks).", read_only=True, launch=True),
    Parameter("transport", "auto", "What to subscribe to: the raw image, its compressed topic, or auto: raw where somebody "
              "publishes it.", choices=("auto", "raw", "compressed"), read_only=True, launch=True),
    Parameter("input_qos", "auto", "Quality of service of the subscriptions; auto is as strict as the publishers allow.",
              choices=("auto", "sensor_data", "reliable", "system_default"), read_only=True, launch=True),
    Parameter("frame_policy", "latest", "With latest the newest frame waits and an older one gives way; with every they are "
              "served in order, and queue_size of them can wait.", choices=("latest", "every"), read_only=True, launch=True),
    Parameter("queue_size", 64, "Frames of a camera that can wait with frame_policy every; when full, the oldest gives way.",
              (1, 10_000), read_only=True),
    Parameter("track", False, "Give instances ids that stay from frame to frame.", read_only=True, launch=True),
    Parameter("enable", True, "Whether images are received; false drops the subscriptions and keeps the model loaded."),
    Parameter("score_threshold", 0.5, "Publish instances from this score.", (0.0, 1.0), launch=True),
    Parameter("classes", [""], "Names of the classes to publish; empty for all of the model's."),
    Parameter("max_instances", 100, "Publish at most so many instances of a frame, the best ones.", (1, 1000)),
    Parameter("max_age_ms", 0, "Skip and count frames whose stamp is older than this when their turn comes; 0 for never.",
              (0, 3_600_000), launch=True),
    Parameter("silence_s", 3.0, "Seconds without an image after which the node says why nothing arrives.", (0.5, 3600.0)),
    Parameter("overlay_score_threshold", 0.0, "Draw only those published instances that have this score.", (0.0, 1.0)),
    Parameter("overlay_alpha", 0.5, "Opacity of the masks in the overlay.", (0.0, 1.0)),
    Parameter("overlay_contour", 3, "Thickness of the outlines, in pixels of an image of 1080 rows; scaled with it.", (1, 20)),
    Parameter("overlay_text", ["class", "score", "id"], "What is written at each instance, of class, score and id; [''] for "
              "nothing."),
    Parameter("overlay_colours", "class", "What a colour in the overlay stands for.", choices=("class", "id")),
)  # fmt: skip


def text_of(value: Any) -> str:
    """A value as it is written on a command line."""
    if isinstance(value, (list, tuple)):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def from_text(row: Parameter, text: str) -> Any:
    """An argument of a command line as a parameter's value; lists with or without brackets.

    Raises:
        InputError: not of the parameter's type, or out of range.
    """
    kind = type(row.default)
    if kind is list:
        return [entry.strip(" '\"") for entry in text.strip().strip("[]").split(",")]
    words = {"true": True, "false": False}
    try:
        value = words[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise InputError(f"argument {row.name}: {text!r} is not of type {kind.__name__}") from None
    if row.limits and not row.limits[0] <= value <= row.limits[1]:
        raise InputError(f"argument {row.name}: {text!r} is not within {row.constraint}")
    if row.choices and value not in row.choices:
        raise InputError(f"argument {row.name}: {text!r} is not {row.constraint}")
    return value


@dataclass(frozen=True)
class Settings:
    """The parameters that may change at run time, in the form the worker uses."""

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

    def keep(self, found: Instances) -> np.ndarray:
        """Indices of the instances to publish, best first."""
        kept = found.scores >= self.score_threshold
        if self.classes:
            kept &= np.isin([found.class_names[label - 1] for label in found.labels], self.classes).reshape(kept.shape)
        return np.flatnonzero(kept)[: self.max_instances]


SETTINGS = {field.name for field in dataclasses.fields(Settings)}
CAMERA_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
RESERVED = {"masks", "overlay", "labels", "labels_color", "segment"}  # ~/masks/masks would be a trap


def descriptor(row: Parameter) -> ParameterDescriptor:
    """A row as ROS 2 describes it to ``ros2 param describe``."""
    described = ParameterDescriptor(description=row.description, read_only=row.read_only)
    if row.choices:
        described.additional_constraints = row.constraint
    elif row.limits and isinstance(row.default, float):
        described.floating_point_range = [FloatingPointRange(from_value=row.limits[0], to_value=row.limits[1])]
    elif row.limits:
        described.integer_range = [IntegerRange(from_value=int(row.limits[0]), to_value=int(row.limits[1]), step=1)]
    return described


def declare(node: Any) -> Settings:
    """Declares every parameter on a node and returns the run-time settings.

    Raises:
        InputError: a value given at start has the wrong type or is out of range.
    """
    for row in PARAMETERS:
        try:
            value = node.declare_parameter(row.name, row.default, descriptor(row)).value
        except Exception as error:  # noqa: BLE001 (rclpy has one exception per kind of mistake, differing by distribution)
            raise InputError(f"parameter {row.name}: {' '.join(str(error).split())}") from None
        _check_choice(row, value)
    settings = Settings(**{name: _value(name, node.get_parameter(name).value) for name in SETTINGS})
    check(settings, None)
    return settings


def _check_choice(row: Parameter, value: Any) -> None:
    if row.choices and value not in row.choices:
        raise InputError(f"parameter {row.name}: {value!r} is not {row.constraint}")


def cameras(names: list[str]) -> tuple[str, ...]:
    """The names in the parameter ``cameras``; one empty name where there is a single, unnamed camera.

    Raises:
        InputError: a name that cannot be part of a topic, or two alike.
    """
    given = tuple(name for name in names if name)
    for name in given:
        if not CAMERA_NAME.fullmatch(name):
            raise InputError(f"parameter cameras: {name!r} is not a name of letters, digits and underscores")
        if name in RESERVED:
            raise InputError(f"parameter cameras: {name!r} is the name of a topic of this node")
    if len(set(given)) < len(given):
        raise InputError(f"parameter cameras: two of {', '.join(given)} are alike")
    return given or ("",)


def changed(settings: Settings, parameters: list[Any]) -> Settings:
    """The settings after a request to set some parameters; others are ignored."""
    values = {p.name: _value(p.name, p.value) for p in parameters if p.name in SETTINGS}
    return dataclasses.replace(settings, **values)


def _value(name: str, value: Any) -> Any:
    return tuple(entry for entry in value if entry) if isinstance(value, (list, tuple)) else value


def check(settings: Settings, class_names: tuple[str, ...] | None) -> None:
    """Raises InputError for what ranges cannot say; class names are checked once a model is there."""
    for row in (row for row in PARAMETERS if not row.read_only):
        value = getattr(settings, row.name)
        _check_choice(row, value)
        if isinstance(value, float) and not math.isfinite(value):  # NaN passes every range
            raise InputError(f"parameter {row.name}: must be a number, {row.constraint}")
    parts = set(settings.overlay_text)
    if parts - {"class", "score", "id"} or len(parts) < len(settings.overlay_text):
        raise InputError("parameter overlay_text: each of class, score and id at most once")
    unknown = [name for name in settings.classes if class_names is not None and name not in class_names]
    if unknown:
        raise InputError(f"parameter classes: {unknown[0]!r} is not a class of the model ({', '.join(class_names)})")
