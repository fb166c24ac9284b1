# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Report of an evaluation on annotated images: report.json, report.html, and tables for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.findings import Finding, to_json
from fcis_ros.metrics.average_precision import RECALLS, Table, curves, measure, recall, summary, sweep
from fcis_ros.metrics.matching import OVERLAPS, Matches
from fcis_ros.results.page import Content, Picture, write_page
from fcis_ros.results.report_parts import format_number, lost_row, write_json
from fcis_ros.versions import versions

SHOWN = 8  # of the best images, and of the worst


@dataclass(frozen=True, eq=False)
class EvaluatedImage:
    """An evaluated image.

    Attributes:
        id: image id in the annotation file.
        file_name: file name in the annotation file.
        matches: detections matched with the ground truth.
        milliseconds: run time of the network, from the array to the instances.
    """

    id: int
    file_name: str
    matches: Matches
    milliseconds: float

    def counts(self, score: float) -> tuple[int, int, int]:
        """Returns true positives, false positives and false negatives from a score on, with an overlap of 0.5."""
        matches = self.matches
        codes = matches.masks[(matches.scores >= score), 0]
        counted = codes[codes >> len(OVERLAPS) & 1 == 0]
        true_positives = int((counted & 1).sum())
        missed = (matches.objects[:, 1] == 0) & (matches.object_scores < score)
        return true_positives, len(counted) - true_positives, int(missed.sum())


def write_image_report(report: Mapping[str, Any], shown: Sequence[tuple[str, EvaluatedImage, bytes]], folder: Path) -> None:
    """Writes report.json and report.html.

    Args:
        report: content of report.json, see ``report_content``.
        shown: images of ``choose`` with their pictures as JPEGs.
        folder: folder of the files.
    """
    write_json(report, folder / "report.json")
    write_page(report, page(report, shown), folder / "report.html")


def report_content(
    evaluated: Sequence[EvaluatedImage],
    class_names: Sequence[str],
    score: float,
    about: Mapping[str, Any],
    findings: Iterable[Finding] = (),
) -> dict[str, Any]:
    """Returns the content of report.json.

    Args:
        evaluated: evaluated images in any order; their ids decide between equal scores, as in pycocotools.
        class_names: classes of the model.
        score: score threshold of counts.
        about: entries ``device``, ``precision``, ``model``, ``input`` and ``truth``.
        findings: what the readers of images and annotations noticed.
    """
    table = Table.of([result.matches for result in sorted(evaluated, key=lambda result: result.id)])
    measured = measure(table, class_names)
    labels = range(1, len(class_names) + 1)
    masks = curves(table, table.matches.masks[:, 0], 0, labels)
    precision = {name: masks[0, :, i].tolist() for i, name in enumerate(class_names) if masks[0, 0, i] > -1}
    times = [result.milliseconds for result in evaluated]
    quantiles = np.percentile(times, [50, 95, 99, 100]).tolist()
    return {
        "frames_in": len(evaluated),
        "frames_out": len(evaluated),
        "frames_dropped": 0,
        "latency_ms": {name: round(value, 2) for name, value in zip(("p50", "p95", "p99", "max"), quantiles, strict=True)},
        "stage_ms": {},
        "fps": round(1000 * len(times) / sum(times), 2),
        **about,
        "findings": to_json(findings),
        "score_floor": 0.0,
        "score": score,
        "ap": {key: measured[key] for key in ("segm", "bbox", "per_class")},
        "mAPr": measured["mAPr"],
        "recall": recall(table, class_names),
        "classes": {name: summary(masks[:, :, i]) for i, name in enumerate(class_names)},
        "curve": {"recall": RECALLS.tolist(), "precision": precision},
        "sweep": sweep(table, class_names),
        "seed": None,
        "versions": versions(),
    }


def choose(evaluated: Sequence[EvaluatedImage], score: float) -> list[tuple[str, EvaluatedImage]]:
    """Selects the images to show as ("best" or "worst", image).

    The best have true positives, at least as many as errors (false positives and false negatives), and the largest difference;
    the worst are the others with the most errors. Of equal images the one with the lower id comes first.
    """
    counts = {result.id: result.counts(score) for result in evaluated}

    def lead(result: EvaluatedImage) -> int:
        return counts[result.id][0] - errors(result)

    def errors(result: EvaluatedImage) -> int:
        return sum(counts[result.id][1:])

    ordered = sorted(evaluated, key=lambda result: result.id)
    good = [result for result in ordered if counts[result.id][0] and lead(result) >= 0]
    best = sorted(good, key=lambda result: (lead(result), counts[result.id][0]), reverse=True)[:SHOWN]
    shown = {result.id for result in best}
    worst = sorted((result for result in ordered if errors(result) and result.id not in shown), key=errors, reverse=True)
    return [*(("best", result) for result in best), *(("worst", result) for result in worst[:SHOWN])]


def page(report: Mapping[str, Any], shown: Sequence[tuple[str, EvaluatedImage, bytes]]) -> Content:
    """Returns the content of report.html besides the report; ``shown`` are the images of ``choose`` with their JPEGs."""
    pictures = []
    for group, result, jpeg in shown:
        true_positives, false_positives, false_negatives = result.counts(report["score"])
        counts = f"{true_positives} true positives, {false_positives} false positives, {false_negatives} false negatives"
        pictures.append(Picture(f"image-{result.id}", f"{result.file_name}: {counts}", jpeg, (group,)))
    ap, truth = report["ap"]["segm"], report["truth"]
    return Content(
        intro=f"{report['model']} on {report['device']}, {report['precision']}.",
        cards=[
            (str(report["frames_in"]), "images", False),
            (format_number(ap["AP"]), "mask AP", False),
            (format_number(ap["AP50"]), "mask AP50", False),
            (format_number(report["mAPr"]["0.5"]), "mAPr at 0.5", False),
            (f"{report['latency_ms']['p50']:.0f} ms", "for an image, median", False),
        ],
        facts=[("ground truth", f"{truth['file']}, sha256 {truth['sha256'][:16]}")],
        pictures=pictures,
        speed=[("an image took", "ms", [(name, format_number(value, 1)) for name, value in report["latency_ms"].items()])],
    )


def tables(report: Mapping[str, Any]) -> str:
    """Returns the report as tables for the terminal."""
    ap, recalls = report["ap"], report["recall"]
    seconds = 1 / report["fps"]
    lines = [f"{report['model']} on {report['device']}, {report['frames_in']} images, {seconds:.3f} s a frame", ""]
    if lost := lost_row(report["findings"]):
        lines[1:1] = ["  ".join(lost)]
    width = max(14, *(len(name) + 2 for name in report["classes"]))

    def row(title: str, *values: float | None) -> None:
        lines.append(f"{title:<{width}}" + "".join(f"{format_number(value):>9}" for value in values))

    def head(title: str, *names: str) -> None:
        lines.append(f"{title:<{width}}" + "".join(f"{name:>9}" for name in names))

    kinds = ("AP", "AP50", "AP75")
    head("", *kinds)
    row("masks", *(ap["segm"][key] for key in kinds))
    row("boxes", *(ap["bbox"][key] for key in kinds))
    lines.append("")
    head("masks by size", "small", "medium", "large")
    row("AP", *(ap["segm"][f"AP_{size}"] for size in ("small", "medium", "large")))
    row("AR", *(recalls[f"AR_{size}"] for size in ("small", "medium", "large")))
    lines.append("")
    head("masks an image", "1", "10", "100")
    row("AR", *(recalls[f"AR{most}"] for most in (1, 10, 100)))
    lines.append("")
    head("class", *kinds)
    for name, values in report["classes"].items():
        row(name, *(values[key] for key in kinds))
    lines += ["", *(f"{f'mAPr at {overlap}':<{width}}{format_number(value):>9}" for overlap, value in report["mAPr"].items())]
    return "\n".join(lines)
