"""The node's parameters: one table for declaration, validation and documentation."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from fcis_ros.errors import InputError


@dataclass(frozen=True)
class Parameter:
    """One row of the table."""

    name: str
    default: Any
    description: str
    limits: tuple[float, float] | None = None
    read_only: bool = False


PARAMETERS = (
    Parameter("model", "", "Checkpoint, a .safetensors file of this project; empty for the one included.", read_only=True),
    Parameter("device", "auto", "auto, cpu, cuda or cuda:N; a device that is not there is an error.", read_only=True),
    Parameter("precision", "auto",
              "Of the convolutions: fp32, tf32, bf16, fp16, or auto, which follows from the hardware alone.",
              read_only=True),
    Parameter("threads", 0, "CPU threads of the network; 0 leaves the choice to PyTorch.", (0, 1024), read_only=True),
    Parameter("autostart", True, "Configure and activate at start; false leaves that to a lifecycle manager.", read_only=True),
    Parameter("score_threshold", 0.5, "Publish instances from this score.", (0.0, 1.0)),
    Parameter("overlay_score_threshold", 0.0, "Draw only those published instances that have this score.", (0.0, 1.0)),
    Parameter("classes", [""], "Names of the classes to publish; empty for all of the model's."),
    Parameter("max_instances", 100, "Publish at most so many instances of a frame, the best ones.", (1, 1000)),
    Parameter("max_age_ms", 0, "Skip and count frames whose stamp is older than this when their turn comes; 0 for never.",
              (0, 3_600_000)),
    Parameter("overlay_alpha", 0.5, "Opacity of the masks in the overlay.", (0.0, 1.0)),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The parameters that may change at run time, in the form the worker uses."""

    score_threshold: float
    overlay_score_threshold: float
    classes: tuple[str, ...]
    max_instances: int
    max_age_ms: int
    overlay_alpha: float


SETTINGS = {field.name for field in dataclasses.fields(Settings)}


def declare(node: Any) -> Settings:
    """Declares every parameter on a node and returns the run-time settings.

    Raises:
        InputError: a value given at start has the wrong type or is out of range.
    """
    for row in PARAMETERS:
        descriptor = ParameterDescriptor(description=row.description, read_only=row.read_only)
        if row.limits and isinstance(row.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=row.limits[0], to_value=row.limits[1])]
        elif row.limits:
            descriptor.integer_range = [IntegerRange(from_value=int(row.limits[0]), to_value=int(row.limits[1]), step=1)]
        try:
            node.declare_parameter(row.name, row.default, descriptor)
        except Exception as error:  # noqa: BLE001 (rclpy has one exception per kind of mistake, differing by distribution)
            raise InputError(f"parameter {row.name}: {' '.join(str(error).split())}") from None
    settings = Settings(**{name: _value(name, node.get_parameter(name).value) for name in SETTINGS})
    check(settings, None)
    return settings


def changed(settings: Settings, parameters: list[Any]) -> Settings:
    """The settings after a request to set some parameters; others are ignored."""
    values = {p.name: _value(p.name, p.value) for p in parameters if p.name in SETTINGS}
    return dataclasses.replace(settings, **values)


def _value(name: str, value: Any) -> Any:
    return tuple(entry for entry in value if entry) if name == "classes" else value


def check(settings: Settings, class_names: tuple[str, ...] | None) -> None:
    """Raises InputError for what ranges cannot say; class names are checked once a model is there."""
    for name in ("score_threshold", "overlay_score_threshold", "overlay_alpha"):
        if not math.isfinite(getattr(settings, name)):
            raise InputError(f"parameter {name}: must be a number in 0..1")
    unknown = [name for name in settings.classes if class_names is not None and name not in class_names]
    if unknown:
        raise InputError(f"parameter classes: {unknown[0]!r} is not a class of the model ({', '.join(class_names)})")
