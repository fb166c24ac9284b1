# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tells a regression from noise by a bootstrap over the frames (Efron, 1979; percentile intervals)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcis_ros.metrics.average_precision import Table, curves, mean, summary, voc_map
from fcis_ros.metrics.matching import VOC_OVERLAPS

MAX_DRAWS, MIN_DRAWS = 200, 40
MAX_ROWS = 20_000_000  # detections in all draws together, from which there are fewer draws
CONFIDENCE = 0.95
WORSE, BETTER, SAME = "worse", "better", "same"


@dataclass(frozen=True)
class Change:
    """The change of one measure.

    Attributes:
        measure: name of the measure.
        before: value in the baseline; None if undefined.
        now: value in the evaluation; None if undefined.
        low: lower end of the confidence interval of the difference; None where a value is undefined.
        high: upper end of it.
        verdict: ``worse`` or ``better`` if the difference exceeds the tolerance and the interval excludes zero, else ``same``.
    """

    measure: str
    before: float | None
    now: float | None
    low: float | None
    high: float | None
    verdict: str


def measures(table: Table, class_names: Sequence[str], weights: np.ndarray | None = None) -> dict[str, float | None]:
    """Computes the measures to compare.

    Args:
        table: matches of the frames.
        class_names: C names of the model's classes.
        weights: [frames] int64, number of times that each frame counts; None for once.
    """
    labels = range(1, len(class_names) + 1)
    masks = curves(table, table.matches.masks[:, 0], 0, labels, weights)
    return {
        **{f"mask {name}": value for name, value in summary(masks).items()},
        **{f"mAPr {overlap}": voc_map(table, bit, labels, weights) for bit, overlap in enumerate(VOC_OVERLAPS)},
        **{f"mask AP50 {name}": mean(masks[0, :, index]) for index, name in enumerate(class_names)},
    }


def compare(
    before: Table, now: Table, class_names: Sequence[str], paired: bool, tolerance: float, seed: int = 0
) -> list[Change]:
    """Computes how the measures changed.

    Args:
        before: matches of the baseline's frames.
        now: matches of the evaluation's frames.
        class_names: C names of the model's classes.
        paired: whether both have the same frames in the same order; then each draw takes the same frames from both, and how
            difficult these are cancels out.
        tolerance: differences up to this value are ignored.
        seed: seed of the draws.
    """
    rng = np.random.default_rng(seed)
    first, second = measures(before, class_names), measures(now, class_names)
    rows = len(before.image) + len(now.image) + 1
    differences: dict[str, list[float]] = {name: [] for name in first}
    for _ in range(max(MIN_DRAWS, min(MAX_DRAWS, MAX_ROWS // rows))):
        weights = _draw(rng, before.images)
        drawn = measures(before, class_names, weights)
        redrawn = measures(now, class_names, weights if paired else _draw(rng, now.images))
        for name, values in differences.items():
            if (earlier := drawn[name]) is not None and (later := redrawn[name]) is not None:
                values.append(later - earlier)
    return [_change(name, first[name], second[name], differences[name], tolerance) for name in first]


def _draw(rng: np.random.Generator, images: int) -> np.ndarray:
    """Number of times that each image is drawn, with replacement."""
    return np.bincount(rng.integers(0, images, images), minlength=images) if images else np.zeros(0, np.int64)


def _change(name: str, before: float | None, now: float | None, differences: list[float], tolerance: float) -> Change:
    if before is None or now is None:
        verdict = SAME if before is now else WORSE if now is None else BETTER
        return Change(name, before, now, None, None, verdict)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(differences, [tail, 1 - tail]).tolist() if differences else (-np.inf, np.inf)
    worse, better = now - before < -tolerance and high < 0, now - before > tolerance and low > 0
    verdict = WORSE if worse else BETTER if better else SAME
    return Change(name, before, now, low, high, verdict)
