# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A comparison tells a worse model from noise (float64, seeds 0 and 1)."""

import numpy as np
import pytest
from coco_scenes import NAMES, matches_of, scene

from fcis_ros.metrics.average_precision import Table, measure
from fcis_ros.metrics.comparison import BETTER, SAME, WORSE, compare, measures

IMAGES = 60


def table(seed, share):
    """Frames of one seed, this share of whose objects is detected; the draw is the same for every ``share``."""
    annotations, false_positives = scene(seed, IMAGES, tie=False)
    rng = np.random.default_rng(seed)
    scores, draws = rng.uniform(0.3, 1, len(annotations)), rng.random(len(annotations))
    hits = [{**entry, "score": score} for entry, score, draw in zip(annotations, scores, draws, strict=True) if draw < share]
    return Table.of(matches_of(annotations, [*hits, *false_positives], range(1, IMAGES + 1)))


def changes(before, now, paired=True, tolerance=0.01):
    return {change.measure: change for change in compare(before, now, NAMES, paired, tolerance)}


def test_measures_table_equal_those_of_the_report():
    frames = table(0, 1.0)
    ap, values = measure(frames, NAMES), measures(frames, NAMES)
    assert values["mask AP"] == ap["segm"]["AP"] and values["mask AP75"] == ap["segm"]["AP75"]
    assert values["mAPr 0.7"] == ap["mAPr"]["0.7"] and values["mask AP50 car"] == ap["per_class"]["car"]


@pytest.mark.parametrize("seed", range(2))
def test_compare_equal_frames_gives_same(seed):
    frames = table(seed, 0.9)
    compared = changes(frames, frames, tolerance=0.0)
    assert {"mask AP", "mask AP50"} <= compared.keys()
    for change in compared.values():
        assert (change.verdict, change.low, change.high) == (SAME, 0.0, 0.0) and change.before == change.now


@pytest.mark.parametrize("seed", range(2))
def test_compare_fewer_detections_gives_worse_and_reversed_better(seed):
    good, bad = table(seed, 1.0), table(seed, 0.4)
    forth = changes(good, bad)
    assert forth["mask AP50"].verdict == WORSE and changes(bad, good)["mask AP50"].verdict == BETTER
    for change in forth.values():
        assert change.low <= change.now - change.before <= change.high


def test_compare_paired_frames_narrows_the_interval():
    """One object in twenty is not detected: pairing shows it, separate draws do not, nor does a large tolerance."""
    good, bad = table(0, 1.0), table(0, 0.95)
    paired, separate = (changes(good, bad, paired, tolerance=0.001)["mask AP50"] for paired in (True, False))
    assert paired.verdict == WORSE and separate.verdict == SAME
    assert paired.high - paired.low < (separate.high - separate.low) / 2
    assert changes(good, bad, tolerance=0.5)["mask AP50"].verdict == SAME


def test_compare_undefined_measure_gives_worse():
    """A class that the new frames lack must not pass a release check unnoticed."""
    annotations, results = scene(1, 10, tie=False)
    before, now = (
        Table.of(matches_of([entry for entry in annotations if entry["category_id"] in labels], results, range(1, 11)))
        for labels in ({1, 2, 3}, {2, 3})
    )
    change = changes(before, now, paired=False)["mask AP50 car"]
    assert change.verdict == WORSE and change.now is None
