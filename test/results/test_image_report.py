# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json
import re

import numpy as np
import pytest
from coco_scenes import NAMES, rectangle, scene

from fcis_ros.findings import Finding, from_json
from fcis_ros.metrics.average_precision import Table, measure
from fcis_ros.metrics.matching import match_image
from fcis_ros.results.image_report import EvaluatedImage, choose, page, report_content, tables
from fcis_ros.results.page import write_page

ABOUT = {"device": "cpu", "precision": "fp32", "model": "m", "input": "some images", "truth": {"file": "a", "sha256": "0" * 64}}


def look(images=6, seed=3) -> list[EvaluatedImage]:
    annotations, results = scene(seed, images, tie=False)

    def of(entries, i):
        return [entry for entry in entries if entry["image_id"] == i]

    matches = [match_image(of(annotations, i), of(results, i)) for i in range(1, images + 1)]
    return [EvaluatedImage(i, f"{i}.jpg", matched, 10.0 * i) for i, matched in enumerate(matches, 1)]


def image(number: int, right: int, wrong: int, missed: int) -> EvaluatedImage:
    """So many cars found with 0.9, other things found with 0.8, cars not found."""
    rng = np.random.default_rng(number)
    there = [rectangle(rng)[1] for _ in range(right + missed)]
    annotations = [
        {"image_id": number, "category_id": 1, "segmentation": mask, "bbox": [0, 0, 1, 1], "area": 50.0, "iscrowd": 0}
        for mask in there
    ]
    found = [(1, mask, 0.9) for mask in there[:right]] + [(2, there[0], 0.8)] * wrong
    results = [
        {"image_id": number, "category_id": label, "segmentation": mask, "bbox": [0, 0, 1, 1], "score": score}
        for label, mask, score in found
    ]
    return EvaluatedImage(number, f"{number}.jpg", match_image(annotations, results), 1.0)


def test_counts_few_detections_equal_hand_count():
    one = image(1, 2, 3, 1)
    assert one.counts(0.5) == (2, 3, 1)
    assert one.counts(0.85) == (2, 0, 1)
    assert one.counts(0.95) == (0, 0, 3)  # an object that is found with less is missed


def test_choose_best_and_worst_images_by_counts():
    seen = [image(1, 1, 0, 0), image(2, 3, 0, 0), image(3, 2, 2, 2), image(4, 1, 0, 3), image(5, 1, 0, 0), image(6, 2, 1, 0)]
    assert [(group, result.id) for group, result in choose(seen[::-1], 0.5)] == [
        ("best", 2), ("best", 6), ("best", 1), ("best", 5), ("worst", 3), ("worst", 4)
    ]  # fmt: skip
    many = [image(i, 1, i % 4, 0) for i in range(1, 21)]
    chosen = choose(many, 0.5)
    assert [result.id for group, result in chosen if group == "best"] == [4, 8, 12, 16, 20, 1, 5, 9]
    assert [result.id for group, result in chosen if group == "worst"] == [3, 7, 11, 15, 19, 2, 6, 10]


def test_summarise_any_order_gives_equal_figures():
    seen = look()
    report = report_content(seen, NAMES, 0.5, ABOUT)
    assert report_content(seen[::-1], NAMES, 0.5, ABOUT) == report
    expected = measure(Table.of([result.matches for result in seen]), NAMES)
    assert report["ap"] == {key: expected[key] for key in ("segm", "bbox", "per_class")}
    known = [values for values in report["classes"].values() if values["AP"] is not None]
    assert len(known) == 3
    for kind in ("AP", "AP50", "AP75"):
        assert np.mean([values[kind] for values in known]) == pytest.approx(expected["segm"][kind], abs=1e-12)
    assert report["latency_ms"] == {"p50": 35.0, "p95": 57.5, "p99": 59.5, "max": 60.0} and report["fps"] == 28.57
    json.dumps(report, allow_nan=False)


def test_tables_show_every_figure():
    report = report_content(look(), NAMES, 0.5, ABOUT)
    lines = tables(report).splitlines()
    assert lines[0] == "m on cpu, 6 images, 0.035 s a frame"
    cells = [line.split() for line in lines]
    ap, classes = report["ap"]["segm"], report["classes"]
    assert ["masks", *(f"{ap[key]:.3f}" for key in ("AP", "AP50", "AP75"))] in cells
    sizes = [ap[f"AP_{size}"] for size in ("small", "medium", "large")]
    assert ["AP", *("–" if value is None else f"{value:.3f}" for value in sizes)] in cells
    assert ["AR", *(f"{report['recall'][f'AR{most}']:.3f}" for most in (1, 10, 100))] in cells
    for name in NAMES:
        assert [name, *(f"{classes[name][key]:.3f}" for key in ("AP", "AP50", "AP75"))] in cells
    assert ["mAPr", "at", "0.5", f"{report['mAPr']['0.5']:.3f}"] in cells


def test_report_content_findings_are_shown(tmp_path):
    findings = [Finding("7.jpg", "cut off"), Finding("truth.json", "12 objects of class dog", lost=False)]
    report = report_content(look(), NAMES, 0.5, {**ABOUT, "input": "images"}, findings)
    assert from_json(report["findings"]) == tuple(findings)
    assert tables(report).splitlines()[1] == "NOT ALL USED  1 finding, below and in report.json"
    write_page(report, page(report, ()), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "<li>7.jpg: cut off</li>" in text and "<td>remark</td><td>truth.json: 12 objects of class dog</td>" in text


def test_page_contains_the_images_and_no_external_source(tmp_path):
    seen = look()
    report = report_content(seen, NAMES, 0.5, {**ABOUT, "input": "<images>"})
    shown = [(group, result, b"\xff\xd8jpeg") for group, result in choose(seen, 0.5)]
    write_page(report, page(report, shown), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert text.count("data:image/jpeg;base64,/9hqcGVn") == len(shown) > 2
    for _, result, _ in shown:
        right, wrong, missed = result.counts(0.5)
        assert f"{result.file_name}: {right} true positives, {wrong} false positives, {missed} false negatives" in text
    assert "Not everything could be used" not in text and "&lt;images&gt;" in text and "<images>" not in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)
