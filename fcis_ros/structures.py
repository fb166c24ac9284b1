# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Annotated images and predictions. Arrays are NumPy's: users, files and messages share these types."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fcis_ros import rle


@dataclass(frozen=True, eq=False)
class Sample:
    """One annotated image.

    Attributes:
        image: [H, W, 3] uint8, RGB.
        masks: [G, H, W] bool, one full-resolution mask per object.
        labels: [G] int64, 1..C (0 is background and never stored).
        crowd: [G] bool, True where the annotation is a region to ignore, not an object.
        name: file name without its folder, or a generated one; matches annotations to frames.
        ids: [G] int64 numbers of the objects, the same in all frames of a clip; None where they are unknown.
    """

    image: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    name: str
    ids: np.ndarray | None = None

    def __post_init__(self) -> None:
        height, width = self.image.shape[:2]
        count = len(self.labels)
        if self.masks.shape != (count, height, width) or self.crowd.shape != (count,):
            raise ValueError(
                f"sample {self.name}: image {self.image.shape}, masks {self.masks.shape}, labels {self.labels.shape} "
                f"and crowd {self.crowd.shape} do not belong together"
            )


@dataclass(frozen=True, eq=False)
class Instances:
    """The instances in one image, best score first.

    Attributes:
        height: image height in pixels.
        width: image width in pixels.
        boxes: [N, 4] int32, tight box of each mask as x1, y1, x2, y2 in pixels of the image; x2 and y2 are exclusive.
        scores: [N] float32 in 0..1.
        labels: [N] int64, 1..C; ``class_names[label - 1]`` is the name.
        runs: N uint32 arrays of run lengths (see ``rle``), one per mask inside its box; every mask has foreground.
        class_names: C names of the foreground classes.
    """

    height: int
    width: int
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    runs: tuple[np.ndarray, ...]
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.runs)
        if self.boxes.shape != (count, 4) or self.scores.shape != (count,) or self.labels.shape != (count,):
            raise ValueError(
                f"instances: boxes {self.boxes.shape}, scores {self.scores.shape} and labels {self.labels.shape} "
                f"do not belong to {count} masks"
            )

    def __len__(self) -> int:
        return len(self.runs)

    @classmethod
    def from_masks(cls, masks: np.ndarray, scores: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]) -> "Instances":
        """Instances of full-resolution masks, each cut to its tight box; the order is kept.

        Args:
            masks: [N, H, W] bool, each with at least one pixel of foreground.
            scores: [N] scores, 0 to 1.
            labels: [N] integer labels, 1..C.
            class_names: C names of the foreground classes.

        Raises:
            ValueError: a mask is empty, or the numbers of masks, scores and labels differ.
        """
        encoded = [rle.encode_tight(mask) for mask in masks]
        boxes, runs = np.array([box for box, _ in encoded], np.int32).reshape(-1, 4), tuple(runs for _, runs in encoded)
        height, width = masks.shape[1:]
        return cls(height, width, boxes, scores.astype(np.float32), labels.astype(np.int64), runs, class_names)

    @cached_property
    def crops(self) -> tuple[np.ndarray, ...]:
        """Masks inside their boxes: N bool arrays [y2 - y1, x2 - x1]."""
        return tuple(
            rle.decode(runs, y2 - y1, x2 - x1) for runs, (x1, y1, x2, y2) in zip(self.runs, self.boxes.tolist(), strict=True)
        )

    @cached_property
    def masks(self) -> np.ndarray:
        """Masks at the resolution of the image, [N, H, W] bool."""
        masks = np.zeros((len(self), self.height, self.width), dtype=bool)
        for mask, (x1, y1, x2, y2), crop in zip(masks, self.boxes, self.crops, strict=True):
            mask[y1:y2, x1:x2] = crop
        return masks

    def select(self, keep: np.ndarray) -> "Instances":
        """Returns the instances of ``keep``, indices or a boolean mask over N, in that order."""
        index = np.arange(len(self))[keep]
        boxes, scores, labels = self.boxes[index], self.scores[index], self.labels[index]
        return dataclasses.replace(self, boxes=boxes, scores=scores, labels=labels, runs=tuple(self.runs[i] for i in index))


@dataclass(frozen=True, eq=False)
class Prediction:
    """The prediction for one image, with its times.

    Attributes:
        instances: instances in the image.
        stage_ms: milliseconds of each stage on the device that did the work, in order; the mean over the images of one call.
        ignored_rois: number of ROIs that were left out because their box or scores were not finite; a healthy network has none.
    """

    instances: Instances
    stage_ms: dict[str, float]
    ignored_rois: int
