"""The model's configuration: every number that changes what the network computes, in one frozen dataclass."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fcis_ros.errors import InputError

BACKBONES = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


@dataclass(frozen=True)
class ModelConfig:
    """A complete description of one FCIS model; a checkpoint stores it beside the weights.

    Attributes:
        class_names: foreground classes; label i is ``class_names[i - 1]``, label 0 is background.
        backbone: one of ``BACKBONES``.
        width: channels of the backbone's first stage (64 in the ResNet paper); later stages double it.
        stride_in_1x1: bottleneck blocks put the stride on the first 1x1 (MSRA, released FCIS) instead of the 3x3 (torchvision).
        pool1: ``pad0_ceil`` (Caffe, MXNet; released FCIS) or ``pad1_floor`` (torchvision): windows differ by one pixel.
        short_side: the image is resized so that its short side has this many pixels ...
        max_side: ... unless its long side would exceed this.
        mean: RGB mean subtracted from the 0..255 image.
        std: RGB value the difference is divided by (1 in the released model).
        reduced_channels: outputs of the 1x1 convolution on conv5 (1024 in the paper).
        rpn_channels: outputs of the RPN's 3x3 convolution (512 in the paper).
        bins: k, the position-sensitive grid of an ROI.
        grid: side of the assembled map of an ROI (released: 21).
        assemble: ``grid``, the released semantics: every ROI is pooled to a grid x grid map; or ``native``, the patent's text:
            the pixels of an ROI, divided evenly, are read from the maps as they are ([0028]-[0030]); ``grid`` is then the
            number of points a side at which voting reads a mask. Each needs weights that were trained with it.
        anchor_scales: anchor side in units of the stride.
        anchor_ratios: anchor height / width.
        box_stds: standard deviations that scale the four box deltas.
        rpn_min_size: smallest proposal side, in pixels of the resized image.
        rpn_pre_nms: proposals kept by score before NMS.
        rpn_post_nms: proposals kept after NMS: the ROIs of round one.
        rpn_nms: IoU above which a proposal is suppressed.
        rounds: 2 repeats the heads on the regressed boxes (300 + 300 ROIs), 1 does not.
        nms: IoU above which an instance of the same class is suppressed.
        max_instances: most instances per image.
        score_floor: instances below this score are never returned.
        voting: ``released`` (each ROI votes with the mask of its own class, binarised first) or ``category`` (the patent:
            probabilities of the voted category, weighted mean, then binarised).
        vote_iou: IoU from which an ROI takes part in the vote.
        mask_threshold: probability or vote from which a pixel is foreground.
        mask_output: ``native`` thresholds the vote map once at image resolution; ``released`` resamples it through the
            grid x grid map of its tight box first, as the released code does.
    """

    class_names: tuple[str, ...]
    backbone: str = "resnet101"
    width: int = 64
    stride_in_1x1: bool = True
    pool1: str = "pad0_ceil"
    short_side: int = 600
    max_side: int = 1000
    mean: tuple[float, float, float] = (123.15, 115.90, 103.06)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    reduced_channels: int = 1024
    rpn_channels: int = 512
    bins: int = 7
    grid: int = 21
    assemble: str = "grid"
    anchor_scales: tuple[float, ...] = (4.0, 8.0, 16.0, 32.0)
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    box_stds: tuple[float, float, float, float] = (0.2, 0.2, 0.5, 0.5)
    rpn_min_size: float = 2.0
    rpn_pre_nms: int = 6000
    rpn_post_nms: int = 300
    rpn_nms: float = 0.7
    rounds: int = 2
    nms: float = 0.3
    max_instances: int = 100
    score_floor: float = 1e-3
    voting: str = "released"
    vote_iou: float = 0.5
    mask_threshold: float = 0.4
    mask_output: str = "native"

    def __post_init__(self):
        def require(ok: bool, what: str):
            if not ok:
                raise InputError(f"model config: {what}")

        names = self.class_names
        require(len(names) > 0 and len(set(names)) == len(names), f"class_names must be distinct and not empty: {names}")
        require(self.backbone in BACKBONES, f"backbone {self.backbone!r} is not one of {', '.join(BACKBONES)}")
        require(self.pool1 in ("pad0_ceil", "pad1_floor"), f"pool1 {self.pool1!r} is not pad0_ceil or pad1_floor")
        require(self.assemble in ("grid", "native"), f"assemble {self.assemble!r} is not grid or native")
        require(self.voting in ("released", "category"), f"voting {self.voting!r} is not released or category")
        require(self.mask_output in ("native", "released"), f"mask_output {self.mask_output!r} is not native or released")
        require(self.grid % self.bins == 0, f"grid {self.grid} is not a multiple of bins {self.bins}")
        require(self.rounds in (1, 2), f"rounds {self.rounds} is not 1 or 2")
        for field in ("width", "short_side", "max_side", "reduced_channels", "rpn_channels", "bins", "grid", "rpn_pre_nms",
                      "rpn_post_nms", "max_instances"):
            require(getattr(self, field) > 0, f"{field} must be positive, not {getattr(self, field)}")
        for field in ("rpn_nms", "nms", "vote_iou", "mask_threshold", "score_floor"):
            require(0 <= getattr(self, field) <= 1, f"{field} must lie in 0..1, not {getattr(self, field)}")

    @property
    def num_classes(self) -> int:
        """C + 1: the foreground classes and background."""
        return len(self.class_names) + 1

    @property
    def num_anchors(self) -> int:
        """A: anchors per position of the RPN."""
        return len(self.anchor_scales) * len(self.anchor_ratios)

    def to_dict(self) -> dict[str, Any]:
        """A dict of JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelConfig":
        """The inverse of ``to_dict``.

        Raises:
            InputError: an unknown or missing key, or a value that the configuration does not allow.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(f"model config: unknown key {unknown[0]!r}")
        if missing := sorted({"class_names"} - set(values)):
            raise InputError(f"model config: missing key {missing[0]!r}")
        try:
            return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
        except TypeError as error:
            raise InputError(f"model config: {error}") from None

    @classmethod
    def read(cls, path: str | Path) -> "ModelConfig":
        """Reads a JSON file such as those of ``config/models``; what it leaves out is as in the released COCO model.

        Raises:
            InputError: the file is missing, not JSON, or as for ``from_dict``.
        """
        values = read_json_object(path, "model config")
        try:
            return cls.from_dict(values)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


def read_json_object(path: str | Path, what: str) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        InputError: the file, called ``what`` and its path, is missing, not JSON, or holds something else.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{what} {path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{what} {path}: not JSON ({error})") from None
    if not isinstance(values, dict):
        raise InputError(f"{what} {path}: not a JSON object")
    return values
