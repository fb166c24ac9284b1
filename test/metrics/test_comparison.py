# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A worse model is told from noise, and by how much (float64, seeds 0 and 1)."""

import numpy as np
import pytest
from coco_scenes import NAMES, scene

from fcis_ros.metrics.average_precision import Table, measure
from fcis_ros.metrics.comparison import BETTER, SAME, WORSE, compare, measures
from fcis_ros.metrics.matching import match_image

IMAGES = 60


def table(seed, kept):
    """Frames of one seed, of whose objects each is found with this probability; the draw is the same for every ``kept``."""
    annotations, wrong = scene(seed, IMAGES, tie=False)
    rng = np.random.default_rng(seed)
    scores, draws = rng.uniform(0.3, 1, len(annotations)), rng.random(len(annotations))
    right = [{**own, "score": score} for own, score, draw in zip(annotations, scores, draws, strict=True) if draw < kept]
    results = [*right, *wrong]
    images = range(1, IMAGES + 1)
    own = [([a for a in annotations if a["image_id"] == i], [r for r in results if r["image_id"] == i]) for i in images]
    return Table.of([match_image(*pair) for pair in own])


def verdicts(changes):
    return {change.measure: change.verdict for change in changes}


def test_the_values_are_those_of_the_report():
    own = table(0, 1.0)
    ap = measure(own, NAMES)
    found = measures(own, NAMES)
    assert found["mask AP"] == ap["segm"]["AP"] and found["mask AP75"] == ap["segm"]["AP75"]
    assert found["mAPr 0.7"] == ap["mAPr"]["0.7"] and found["mask AP50 car"] == ap["per_class"]["car"]


@pytest.mark.parametrize("seed", range(2))
def test_equal_is_equal(seed):
    own = table(seed, 0.9)
    changes = compare(own, own, NAMES, paired=True, tolerance=0.0)
    assert {"mask AP", "mask AP50"} <= {change.measure for change in changes}
    for change in changes:
        assert (change.verdict, change.low, change.high) == (SAME, 0.0, 0.0) and change.before == change.now


@pytest.mark.parametrize("seed", range(2))
def test_much_worse_is_worse_and_the_other_way_better(seed):
    good, bad = table(seed, 1.0), table(seed, 0.4)
    forth, back = (compare(*pair, NAMES, paired=True, tolerance=0.01) for pair in ((good, bad), (bad, good)))
    assert verdicts(forth)["mask AP50"] == WORSE and verdicts(back)["mask AP50"] == BETTER
    for change in forth:
        assert change.low <= change.now - change.before <= change.high


def test_pairing_sees_what_other_frames_hide():
    """One instance in twenty is gone: the same frames show it, other ones do not."""
    good, bad = table(0, 1.0), table(0, 0.95)
    paired = {own.measure: own for own in compare(good, bad, NAMES, paired=True, tolerance=0.001)}["mask AP50"]
    apart = {own.measure: own for own in compare(good, bad, NAMES, paired=False, tolerance=0.001)}["mask AP50"]
    assert paired.verdict == WORSE and apart.verdict == SAME
    assert paired.high - paired.low < (apart.high - apart.low) / 2


def test_tolerance():
    good, bad = table(0, 1.0), table(0, 0.95)
    assert verdicts(compare(good, bad, NAMES, paired=True, tolerance=0.5))["mask AP50"] == SAME


def test_a_measure_that_is_gone_is_worse():
    """The frames of today have no car any more: whoever gates a release must hear of it."""
    annotations, results = scene(1, 10, tie=False)
    images = range(1, 11)

    def of(labels):
        own = [[a for a in annotations if a["image_id"] == i and a["category_id"] in labels] for i in images]
        return Table.of([match_image(a, [r for r in results if r["image_id"] == i]) for i, a in zip(images, own, strict=True)])

    changes = {own.measure: own for own in compare(of({1, 2, 3}), of({2, 3}), NAMES, paired=False, tolerance=0.01)}
    assert changes["mask AP50 car"].verdict == WORSE and changes["mask AP50 car"].now is None
