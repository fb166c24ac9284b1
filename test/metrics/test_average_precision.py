# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Average precision from matches is pycocotools' own, to the last digit, whatever the images hold (float64, any seed)."""

import contextlib
import io

import numpy as np
import pytest
from coco_scenes import HEIGHT, NAMES, WIDTH, rectangle, scene
from hypothesis import assume, given
from hypothesis import strategies as st
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fcis_ros.metrics.average_precision import Table, curves, measure, recall, sweep, voc_map
from fcis_ros.metrics.matching import match_image


def table_of(annotations, results, images):
    own = [[entry for entry in annotations if entry["image_id"] == i] for i in range(1, images + 1)]
    found = [[entry for entry in results if entry["image_id"] == i] for i in range(1, images + 1)]
    return Table.of([match_image(a, r) for a, r in zip(own, found, strict=True)])


def pycocotools(annotations, results, images, kind):
    """Run as anybody would: results without boxes, so that areas are those of the masks."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": i, "height": HEIGHT, "width": WIDTH} for i in range(1, images + 1)],
            "annotations": [dict(annotation) for annotation in annotations],
            "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES, 1)],
        }
        coco.createIndex()
        found = coco.loadRes([{key: value for key, value in result.items() if key != "bbox"} for result in results])
        evaluation = COCOeval(coco, found, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def voc_by_definition(annotations, results, label, iou):
    """AP of one class, pair by pair and pixel by pixel; None without an object."""
    right, total = [], 0
    for image in sorted({entry["image_id"] for entry in (*annotations, *results)}):
        own = [a for a in annotations if a["image_id"] == image and a["category_id"] == label]
        objects = [rle.decode(a["segmentation"]) for a in own if not a["iscrowd"]]
        crowds = [rle.decode(a["segmentation"]) for a in own if a["iscrowd"]]
        total, taken = total + len(objects), set()
        found = [r for r in results if r["image_id"] == image and r["category_id"] == label]
        for result in sorted(found, key=lambda result: -result["score"]):
            mask = rle.decode(result["segmentation"])
            overlaps = [(there & mask).sum() / (there | mask).sum() for there in objects]
            best = int(np.argmax(overlaps)) if overlaps else None
            if best is not None and overlaps[best] >= iou:
                right.append((result["score"], best not in taken))
                taken.add(best)
            elif not any((crowd & mask).sum() / mask.sum() >= iou for crowd in crowds):
                right.append((result["score"], False))
    hits = [hit for _, hit in sorted(right, key=lambda pair: -pair[0])]
    if not total:
        return None
    points = [(sum(hits[:n]) / total, sum(hits[:n]) / n) for n in range(1, len(hits) + 1)]
    return sum(max((own for reached, own in points if reached >= level / 10 - 1e-9), default=0) for level in range(11)) / 11


@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans())
def test_equals_pycocotools(seed, images, tie):
    annotations, results = scene(seed, images, tie)
    assume(annotations and results)
    table = table_of(annotations, results, images)
    ap = measure(table, NAMES)
    for kind, keys in (("segm", ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")), ("bbox", ("AP", "AP50", "AP75"))):
        expected = pycocotools(annotations, results, images, kind)
        for key, value in zip(keys, expected.stats, strict=False):
            assert ap[kind][key] == (None if value == -1 else value), (kind, key)
        if kind == "segm":
            found = recall(table, NAMES)
            assert list(found) == ["AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"]
            for value, wanted in zip(found.values(), expected.stats[6:], strict=True):
                assert value == (None if wanted == -1 else pytest.approx(wanted, abs=1e-12))
    masks = curves(table, table.matches.masks[:, 0], 0, (1, 2, 3))
    np.testing.assert_array_equal(masks, pycocotools(annotations, results, images, "segm").eval["precision"][:, :, :, 0, 2])
    for bit, overlap in enumerate((0.5, 0.7)):
        known = [own for label in (1, 2, 3) if (own := voc_by_definition(annotations, results, label, overlap)) is not None]
        assert voc_map(table, bit, (1, 2, 3)) == (pytest.approx(np.mean(known), abs=1e-12) if known else None)


def test_weights_are_repeated_images():
    annotations, results = scene(5, 8, tie=False)
    table = table_of(annotations, results, 8)
    weights = np.array([2, 0, 1, 1, 3, 0, 1, 2])
    repeated = [i + 1 for i, weight in enumerate(weights) for _ in range(weight)]
    copies = Table.of(
        [
            match_image([a for a in annotations if a["image_id"] == i], [r for r in results if r["image_id"] == i])
            for i in repeated
        ]
    )
    for area in range(4):
        weighted = curves(table, table.matches.masks[:, area], area, (1, 2, 3), weights)
        plain = curves(copies, copies.matches.masks[:, area], area, (1, 2, 3))
        # Copies have equal scores: they count together in the one and one after the other in the other, at the same recalls.
        np.testing.assert_allclose(weighted, plain, atol=1e-12)
    assert voc_map(table, 0, (1, 2, 3), weights) == pytest.approx(voc_map(copies, 0, (1, 2, 3)), abs=0.05)


def test_nothing_at_all():
    ap = measure(Table.of([]), NAMES)
    assert ap["segm"]["AP"] is None and ap["mAPr"] == {"0.5": None, "0.7": None}
    assert sweep(Table.of([]), NAMES)["car"][0]["recall"] is None


def test_objects_and_no_instance():
    annotations, _ = scene(1, 4, tie=False)
    ap = measure(table_of(annotations, [], 4), NAMES)
    assert ap["segm"]["AP"] == 0.0 and ap["mAPr"]["0.5"] == 0.0


def test_sweep_counts_by_hand():
    """Two cars, found with 0.9 and 0.3; a third instance, 0.6, is nothing."""
    rng = np.random.default_rng(0)
    masks = [rectangle(rng)[1] for _ in range(2)]
    elsewhere = rle.encode(np.asfortranarray(np.eye(HEIGHT, WIDTH, dtype=np.uint8)))
    annotations = [
        {"image_id": 1, "category_id": 1, "segmentation": mask, "bbox": rle.toBbox(mask).tolist(), "area": 100.0, "iscrowd": 0}
        for mask in masks
    ]
    found = [(masks[0], 0.9), (elsewhere, 0.6), (masks[1], 0.3)]
    results = [
        {"image_id": 1, "category_id": 1, "segmentation": mask, "bbox": rle.toBbox(mask).tolist(), "score": score}
        for mask, score in found
    ]
    lines = {line["score"]: line for line in sweep(table_of(annotations, results, 1), NAMES)["car"]}
    assert (lines[0.02]["right"], lines[0.02]["wrong"], lines[0.02]["missed"]) == (2, 1, 0)
    assert (lines[0.5]["right"], lines[0.5]["wrong"], lines[0.5]["missed"]) == (1, 1, 1)
    assert (lines[0.9]["precision"], lines[0.9]["recall"]) == (1.0, 0.5)
    assert lines[0.95]["precision"] is None and lines[0.95]["f1"] == 0.0
