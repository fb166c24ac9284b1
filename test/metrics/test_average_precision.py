# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Average precision from matches equals pycocotools' to the last digit on random images (float64, any seed)."""

import contextlib
import io

import numpy as np
import pytest
from coco_scenes import HEIGHT, NAMES, WIDTH, matches_of, scene
from hypothesis import assume, given
from hypothesis import strategies as st
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rectangles import CAR, OTHER, WALKER, instances, sample

from fcis_ros.metrics.average_precision import Table, curves, measure, recall, sweep, voc_map
from fcis_ros.metrics.coco_results import to_annotations, to_results
from fcis_ros.metrics.matching import match_image


def pycocotools(annotations, results, images, kind):
    """COCOeval on results without boxes, so that areas are those of the masks."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": i, "height": HEIGHT, "width": WIDTH} for i in range(1, images + 1)],
            "annotations": [dict(annotation) for annotation in annotations],
            "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES, 1)],
        }
        coco.createIndex()
        loaded = coco.loadRes([{key: value for key, value in result.items() if key != "bbox"} for result in results])
        evaluation = COCOeval(coco, loaded, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def voc_by_definition(annotations, results, label, iou):
    """AP of one class, pair by pair and pixel by pixel; None without an object."""
    matched, total = [], 0
    for image in sorted({entry["image_id"] for entry in (*annotations, *results)}):
        of_class = [a for a in annotations if a["image_id"] == image and a["category_id"] == label]
        objects = [rle.decode(a["segmentation"]) for a in of_class if not a["iscrowd"]]
        crowds = [rle.decode(a["segmentation"]) for a in of_class if a["iscrowd"]]
        total, taken = total + len(objects), set()
        detections = [r for r in results if r["image_id"] == image and r["category_id"] == label]
        for result in sorted(detections, key=lambda result: -result["score"]):
            mask = rle.decode(result["segmentation"])
            overlaps = [(target & mask).sum() / (target | mask).sum() for target in objects]
            best = int(np.argmax(overlaps)) if overlaps else None
            if best is not None and overlaps[best] >= iou:
                matched.append((result["score"], best not in taken))
                taken.add(best)
            elif not any((crowd & mask).sum() / mask.sum() >= iou for crowd in crowds):
                matched.append((result["score"], False))
    hits = [hit for _, hit in sorted(matched, key=lambda pair: -pair[0])]
    if not total:
        return None
    points = [(sum(hits[:n]) / total, sum(hits[:n]) / n) for n in range(1, len(hits) + 1)]
    return sum(max((share for reached, share in points if reached >= level / 10 - 1e-9), default=0) for level in range(11)) / 11


@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans())
def test_measure_random_images_equals_pycocotools(seed, images, tie):
    annotations, results = scene(seed, images, tie)
    assume(annotations and results)
    table = Table.of(matches_of(annotations, results, range(1, images + 1)))
    ap = measure(table, NAMES)
    for kind, keys in (("segm", ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")), ("bbox", ("AP", "AP50", "AP75"))):
        expected = pycocotools(annotations, results, images, kind)
        for key, value in zip(keys, expected.stats, strict=False):
            assert ap[kind][key] == (None if value == -1 else value), (kind, key)
        if kind == "segm":
            masks = curves(table, table.matches.masks[:, 0], 0, (1, 2, 3))
            np.testing.assert_array_equal(masks, expected.eval["precision"][:, :, :, 0, 2])
            recalls = recall(table, NAMES)
            assert list(recalls) == ["AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"]
            for value, wanted in zip(recalls.values(), expected.stats[6:], strict=True):
                assert value == (None if wanted == -1 else pytest.approx(wanted, abs=1e-12))
    for bit, overlap in enumerate((0.5, 0.7)):
        averages = [voc_by_definition(annotations, results, label, overlap) for label in (1, 2, 3)]
        known = [value for value in averages if value is not None]
        assert voc_map(table, bit, (1, 2, 3)) == (pytest.approx(np.mean(known), abs=1e-12) if known else None)


def test_curves_weights_equal_repeated_images():
    annotations, results = scene(5, 8, tie=False)
    table = Table.of(matches_of(annotations, results, range(1, 9)))
    weights = np.array([2, 0, 1, 1, 3, 0, 1, 2])
    repeated = [i + 1 for i, weight in enumerate(weights) for _ in range(weight)]
    copies = Table.of(matches_of(annotations, results, repeated))
    for area in range(4):
        weighted = curves(table, table.matches.masks[:, area], area, (1, 2, 3), weights)
        plain = curves(copies, copies.matches.masks[:, area], area, (1, 2, 3))
        # Copies have equal scores: weights count them together, repetition one after the other, at the same recalls.
        np.testing.assert_allclose(weighted, plain, atol=1e-12)
    assert voc_map(table, 0, (1, 2, 3), weights) == pytest.approx(voc_map(copies, 0, (1, 2, 3)), abs=0.05)


def test_measure_no_images_is_undefined():
    ap = measure(Table.of([]), NAMES)
    assert ap["segm"]["AP"] is None and ap["mAPr"] == {"0.5": None, "0.7": None}
    assert sweep(Table.of([]), NAMES)["car"][0]["recall"] is None


def test_sweep_two_cars_counts_as_by_hand():
    """Two cars, matched by detections of score 0.92 and 0.3, and a false positive of 0.6."""
    found = instances((1, CAR, 0.92), (1, WALKER, 0.6), (1, OTHER, 0.3))
    matches = match_image(to_annotations(sample((1, CAR, False), (1, OTHER, False)), 1, 1), to_results(found, 1))
    by_score = {line["score"]: line for line in sweep(Table.of([matches]), NAMES)["car"]}
    for score, counts in ((0.02, (2, 1, 0)), (0.5, (1, 1, 1))):
        assert tuple(by_score[score][name] for name in ("right", "wrong", "missed")) == counts
    assert (by_score[0.9]["precision"], by_score[0.9]["recall"]) == (1.0, 0.5)
    assert by_score[0.95]["precision"] is None and by_score[0.95]["f1"] == 0.0
