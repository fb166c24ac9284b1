# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Is one evaluation worse than another, or is that noise? A bootstrap over the frames says (Efron, 1979; percentiles)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcis_ros.metrics.average_precision import Table, curves, mean, voc_map
from fcis_ros.metrics.matching import VOC_OVERLAPS

DRAWS, FEWEST, ROWS = 200, 40, 20_000_000  # draws of frames, fewer for so many instances that these together exceed ROWS
CONFIDENCE = 0.95
WORSE, BETTER, SAME = "worse", "better", "same"


@dataclass(frozen=True)
class Change:
    """How one measure moved.

    Attributes:
        measure: which.
        before: its value in the baseline; None where it had none.
        now: its value; None where it has none.
        low: of the interval of the difference, None where a value is missing.
        high: its other end.
        verdict: ``worse`` or ``better`` if the difference exceeds the tolerance and the interval excludes none, else ``same``.
    """

    measure: str
    before: float | None
    now: float | None
    low: float | None
    high: float | None
    verdict: str


def measures(table: Table, class_names: Sequence[str], weights: np.ndarray | None = None) -> dict[str, float | None]:
    """What is compared.

    Args:
        table: the frames.
        class_names: of the model.
        weights: [frames] how often each counts; None: once.
    """
    labels = range(1, len(class_names) + 1)
    masks = curves(table, table.matches.masks[:, 0], 0, labels, weights)
    found = {"mask AP": mean(masks), "mask AP50": mean(masks[0]), "mask AP75": mean(masks[5])}
    found |= {f"mAPr {overlap}": voc_map(table, bit, labels, weights) for bit, overlap in enumerate(VOC_OVERLAPS)}
    return found | {f"mask AP50 {name}": mean(masks[0, :, index]) for index, name in enumerate(class_names)}


def compare(
    before: Table, now: Table, class_names: Sequence[str], paired: bool, tolerance: float, seed: int = 0
) -> list[Change]:
    """How the measures moved.

    Args:
        before: frames of the baseline.
        now: frames of the evaluation.
        class_names: of the model.
        paired: whether these are the same frames in the same order: then the same ones are drawn of both, and what is easy or
            difficult about them cancels out.
        tolerance: differences up to it are the same.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    first, second = measures(before, class_names), measures(now, class_names)
    rows = len(before.image) + len(now.image) + 1
    differences: dict[str, list[float]] = {name: [] for name in first}
    for _ in range(max(FEWEST, min(DRAWS, ROWS // rows))):
        one = _draw(rng, before.images)
        other = one if paired else _draw(rng, now.images)
        drawn, redrawn = measures(before, class_names, one), measures(now, class_names, other)
        for name, values in differences.items():
            if (then := drawn[name]) is not None and (since := redrawn[name]) is not None:
                values.append(since - then)
    return [_change(name, first[name], second[name], differences[name], tolerance) for name in first]


def _draw(rng: np.random.Generator, images: int) -> np.ndarray:
    """How often each image is drawn, with putting back."""
    return np.bincount(rng.integers(0, images, images), minlength=images) if images else np.zeros(0, np.int64)


def _change(name: str, before: float | None, now: float | None, differences: list[float], tolerance: float) -> Change:
    if before is None or now is None:
        verdict = SAME if before is now else WORSE if now is None else BETTER
        return Change(name, before, now, None, None, verdict)
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(differences, [outside, 1 - outside]).tolist() if differences else (-np.inf, np.inf)
    verdict = SAME
    if now - before < -tolerance and high < 0:
        verdict = WORSE
    elif now - before > tolerance and low > 0:
        verdict = BETTER
    return Change(name, before, now, low, high, verdict)
