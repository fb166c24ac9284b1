# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The model's configuration: every number that changes what the network computes, in one frozen dataclass."""

import dataclasses
import json
import math
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fcis_ros.errors import InputError

BACKBONES = {  # and their stages, which training can freeze one by one
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"), 5),
    **dict.fromkeys(("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"), 8),
}
OF_RESNETS = ("width", "stride_in_1x1", "pool1")  # settings that other backbones do not have
MAX_SCORE_CHANNELS = 1 << 17  # 1200 classes with 7x7 bins; as maps of a 600x1000 image in float32, 1.3 GB
MAX_NESTING = 32  # of JSON; ours has three levels


@dataclass(frozen=True)
class Rule:
    """A condition on a value.

    Attributes:
        says: text of the condition, after "must be".
        holds: predicate of a value of any type.
    """

    says: str
    holds: Callable[[Any], bool]


def whole(low: int, high: int) -> Rule:
    return Rule(f"a whole number in {low}..{high}", lambda value: type(value) is int and low <= value <= high)


def number(low: float, high: float) -> Rule:
    return Rule(f"a number in {low:g}..{high:g}", lambda value: type(value) in (int, float) and low <= value <= high)


def choice(*names: str) -> Rule:
    return Rule(f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names)


def numbers(least: int, most: int, low: float, high: float) -> Rule:
    count = f"{least}" if least == most else f"{least}..{most}"
    return _tuple_of(number(low, high), least, most, f"{count} numbers in {low:g}..{high:g}")


def _tuple_of(each: Rule, least: int, most: int, says: str) -> Rule:
    return Rule(says, lambda value: isinstance(value, tuple) and least <= len(value) <= most and all(map(each.holds, value)))


def _are_class_names(value: Any) -> bool:
    texts = isinstance(value, tuple) and 1 <= len(value) <= 4095 and all(isinstance(name, str) for name in value)
    return texts and len(set(value)) == len(value) and all(1 <= len(name) <= 100 and name.isprintable() for name in value)


def _setting(default: Any, rule: Rule) -> Any:
    return field(default=default, metadata={"rule": rule})


FRACTION = number(0, 1)
CLASS_NAMES = Rule("1..4095 different names of 1..100 printable characters", _are_class_names)


@dataclass(frozen=True)
class ModelConfig:
    """A complete description of one FCIS model; a checkpoint stores it with the weights.

    Every field has a rule that states the allowed values; other values are an InputError. Lists become tuples.

    Attributes:
        class_names: foreground classes; label i is ``class_names[i - 1]``, label 0 is background.
        backbone: one of ``BACKBONES``.
        width: channels of the backbone's first stage (64 in the ResNet paper); later stages double it.
        stride_in_1x1: bottleneck blocks put the stride on the first 1x1 (MSRA, released FCIS) instead of the 3x3 (torchvision).
        pool1: ``pad0_ceil`` (Caffe, MXNet; released FCIS) or ``pad1_floor`` (torchvision): windows differ by one pixel.
        stride: image pixels per cell of the score maps: 16 in the paper, or 8.
        features: maps that the heads read: ``c5``, the paper's: conv4 for the RPN and conv5, dilated to the stride, for the
            score maps; or ``pyramid``, for both a map of that stride that joins conv3 to conv5 top-down (``model/pyramid.py``).
        pyramid_channels: channels of that map.
        short_side: the image is resized so that its short side has this many pixels ...
        max_side: ... unless its long side would exceed this.
        mean: RGB mean subtracted from the 0..255 image.
        std: RGB value the difference is divided by (1 in the released model).
        reduced_channels: outputs of the 1x1 convolution on conv5 (1024 in the paper).
        rpn_channels: outputs of the RPN's 3x3 convolution (512 in the paper).
        bins: k, an ROI has k x k position-sensitive bins.
        more_bins: further values of k, each with separate score and box maps; class, mask and box outputs of all are averaged
            before the softmax ([0043]).
        grid: squares per side of the grid that an ROI is assembled to (released: 21); a multiple of every k.
        assemble: ``grid``, the released semantics: every ROI is pooled to a grid x grid map; or ``native``, the patent's text:
            the pixels of an ROI, divided evenly, are read from the maps as they are ([0028]-[0030]); ``grid`` is then the
            number of points a side at which voting reads a mask. Each needs weights that were trained with it.
        anchor_scales: anchor side in units of the stride.
        anchor_ratios: anchor height / width.
        box_stds: standard deviations that scale the four box deltas.
        proposals: ``rpn``, or ``windows`` for comparison: a window of fixed size that slides over an image pyramid, ranked by
            the score maps alone ([0024], [0025]). Training uses the proposals of the RPN.
        window: side of the window in pixels of a level of the pyramid.
        window_scales: scales of the levels, relative to the resized image.
        rpn_min_size: smallest proposal side, in pixels of the resized image.
        rpn_pre_nms: proposals kept by score before NMS.
        rpn_post_nms: proposals kept after NMS: the ROIs of round one.
        rpn_nms: IoU above which a proposal is suppressed.
        rounds: 2 repeats the heads on the regressed boxes (300 + 300 ROIs), 1 does not.
        nms: IoU above which an instance of the same class is suppressed.
        max_instances: maximum number of instances per image.
        score_floor: instances below this score are never returned.
        voting: ``released`` (each ROI votes with the mask of its best class, binarised first) or ``category`` (the patent:
            probabilities of the voted category, weighted mean, then binarised).
        vote_iou: IoU from which an ROI takes part in the vote.
        mask_threshold: probability or vote from which a pixel is foreground.
        mask_output: ``native`` thresholds the vote map once at image resolution; ``released`` resamples it through the
            grid x grid map of its tight box first, as the released code does.
    """

    # The bounds lie well outside what is useful, and well inside what would exhaust memory or overflow an operator.
    class_names: tuple[str, ...] = field(metadata={"rule": CLASS_NAMES})
    backbone: str = _setting("resnet101", choice(*BACKBONES))
    width: int = _setting(64, whole(1, 512))
    stride_in_1x1: bool = _setting(True, Rule("true or false", lambda value: isinstance(value, bool)))
    pool1: str = _setting("pad0_ceil", choice("pad0_ceil", "pad1_floor"))
    stride: int = _setting(16, Rule("8 or 16", lambda value: type(value) is int and value in (8, 16)))
    features: str = _setting("c5", choice("c5", "pyramid"))
    pyramid_channels: int = _setting(128, whole(8, 1024))
    short_side: int = _setting(600, whole(3, 4096))  # of 3 pixels the first pooling leaves one
    max_side: int = _setting(1000, whole(3, 8192))
    mean: tuple[float, float, float] = _setting((123.15, 115.90, 103.06), numbers(3, 3, -1000, 1000))
    std: tuple[float, float, float] = _setting((1.0, 1.0, 1.0), numbers(3, 3, 0.001, 1000))
    reduced_channels: int = _setting(1024, whole(1, 8192))
    rpn_channels: int = _setting(512, whole(1, 8192))
    bins: int = _setting(7, whole(1, 32))
    more_bins: tuple[int, ...] = _setting((), _tuple_of(whole(1, 32), 0, 4, "at most 4 whole numbers in 1..32"))
    grid: int = _setting(21, whole(1, 128))
    assemble: str = _setting("grid", choice("grid", "native"))
    anchor_scales: tuple[float, ...] = _setting((4.0, 8.0, 16.0, 32.0), numbers(1, 32, 0.0625, 512))  # of 1 to 8192 pixels
    anchor_ratios: tuple[float, ...] = _setting((0.5, 1.0, 2.0), numbers(1, 32, 0.01, 100))
    box_stds: tuple[float, float, float, float] = _setting((0.2, 0.2, 0.5, 0.5), numbers(4, 4, 0.001, 100))
    proposals: str = _setting("rpn", choice("rpn", "windows"))
    window: int = _setting(224, whole(1, 8192))
    window_scales: tuple[float, ...] = _setting((0.25, 0.5, 1.0, 2.0, 4.0), numbers(1, 32, 0.01, 100))
    rpn_min_size: float = _setting(2.0, number(0, 8192))
    rpn_pre_nms: int = _setting(6000, whole(1, 50000))
    rpn_post_nms: int = _setting(300, whole(1, 5000))
    rpn_nms: float = _setting(0.7, FRACTION)
    rounds: int = _setting(2, whole(1, 2))
    nms: float = _setting(0.3, FRACTION)
    max_instances: int = _setting(100, whole(1, 1000))
    score_floor: float = _setting(1e-3, FRACTION)
    voting: str = _setting("released", choice("released", "category"))
    vote_iou: float = _setting(0.5, FRACTION)
    mask_threshold: float = _setting(0.4, FRACTION)
    mask_output: str = _setting("native", choice("native", "released"))

    def __post_init__(self) -> None:
        for setting in dataclasses.fields(self):
            name, rule, value = setting.name, setting.metadata["rule"], getattr(self, setting.name)
            if isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, name, value)
            if not rule.holds(value):
                raise InputError(f"model config: {name} must be {rule.says}, not {reprlib.repr(value)}")
        for bins in self.all_bins:
            if self.grid % bins != 0:
                raise InputError(f"model config: grid {self.grid} is not a multiple of bins {bins}")
        for setting in dataclasses.fields(self):
            if setting.name in self.without_effect and getattr(self, setting.name) != setting.default:
                raise InputError(f"model config: {setting.name} has no effect with {self.backbone}, features {self.features}")
        least = max(self.level_strides)
        if self.short_side < least and (not self.is_resnet or self.features == "pyramid"):
            raise InputError(f"model config: short_side must be at least the largest stride, {least}, not {self.short_side}")
        ks = " and ".join(map(str, self.all_bins))
        if (channels := 2 * self.num_classes * self.bin_count) > MAX_SCORE_CHANNELS:
            raise InputError(
                f"model config: {len(self.class_names)} class_names and {ks} bins make {channels} channels of "
                f"score maps, at most {MAX_SCORE_CHANNELS} are possible"
            )

    @property
    def num_classes(self) -> int:
        """C + 1: the foreground classes and background."""
        return len(self.class_names) + 1

    @property
    def is_resnet(self) -> bool:
        """Whether the backbone is a ResNet, which has settings that others do not have."""
        return self.backbone.startswith("resnet")

    @property
    def without_effect(self) -> tuple[str, ...]:
        """Settings that the network of this configuration does not have; they must have their default values."""
        return (() if self.is_resnet else OF_RESNETS) + (("pyramid_channels",) if self.features == "c5" else ())

    @property
    def level_strides(self) -> tuple[int, int, int]:
        """Strides of conv3, conv4 and conv5."""
        return (8, 16, 32) if self.features == "pyramid" else (8, self.stride, self.stride)

    @property
    def all_bins(self) -> tuple[int, ...]:
        """Every k, in the order of their channels."""
        return self.bins, *self.more_bins

    @property
    def bin_count(self) -> int:
        """Bins of an ROI, of all k together."""
        return sum(k * k for k in self.all_bins)

    @property
    def num_anchors(self) -> int:
        """A: anchors per position of the RPN."""
        return len(self.anchor_scales) * len(self.anchor_ratios)

    def to_dict(self) -> dict[str, Any]:
        """Returns the values as JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelConfig":
        """Inverts ``to_dict``.

        Raises:
            InputError: an unknown or missing key, or a value that the configuration does not allow.
        """
        if not isinstance(values, dict):
            raise InputError(f"model config: not a JSON object but {reprlib.repr(values)}")
        if unknown := sorted(set(values) - {setting.name for setting in dataclasses.fields(cls)}):
            raise InputError(f"model config: unknown key {reprlib.repr(unknown[0])}")
        if "class_names" not in values:
            raise InputError("model config: missing key 'class_names'")
        return cls(**values)

    @classmethod
    def read(cls, path: str | Path) -> "ModelConfig":
        """Reads a JSON file such as those of ``config/models``; missing values are those of the released COCO model.

        Raises:
            InputError: the file is missing or not JSON, or as for ``from_dict``.
        """
        values = read_json_object(path, "model config")
        try:
            return cls.from_dict(values)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


def read_json_object(path: str | Path, what: str) -> dict[str, Any]:
    """Returns the object in a JSON file.

    Args:
        path: path of the file.
        what: name of the file's content, for messages.

    Raises:
        InputError: the file is missing, or as for ``json_object``.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{what} {path}: {error.strerror}") from None
    return json_object(text, f"{what} {path}")


def json_object(text: str | bytes, what: str) -> dict[str, Any]:
    """Returns the object in a JSON text.

    Args:
        text: the JSON text.
        what: name of the text, for messages.

    Raises:
        InputError: the text is not JSON (nor are NaN and numbers beyond float64), nested too deeply, or not an object.
    """
    try:
        values = json.loads(text)
        if isinstance(values, dict):
            _check_json(values)
            return values
    except RecursionError:
        raise InputError(f"{what}: JSON that is nested more than {MAX_NESTING} deep") from None
    except ValueError as error:
        raise InputError(f"{what}: not JSON ({error})") from None
    raise InputError(f"{what}: not a JSON object")


def _check_json(value: Any, depth: int = 0) -> None:
    if depth > MAX_NESTING:
        raise RecursionError
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a number that is {value}")
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check_json(part, depth + 1)
