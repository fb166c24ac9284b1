# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A model on annotated images: the figures of report.json, the tables for the terminal, and the images to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcis_ros.metrics.average_precision import RECALLS, Table, curves, mean, measure, recall, sweep
from fcis_ros.metrics.matching import OVERLAPS, Matches
from fcis_ros.results.page import Content, Picture
from fcis_ros.results.report_parts import number
from fcis_ros.versions import versions

SHOWN = 8  # of the best images, and of the worst


@dataclass(frozen=True, eq=False)
class EvaluatedImage:
    """An image that was looked at.

    Attributes:
        id: in the annotation file.
        file_name: there.
        matches: what was found, and what is there.
        milliseconds: that it took, from the array to the instances.
    """

    id: int
    file_name: str
    matches: Matches
    milliseconds: float

    def counts(self, score: float) -> tuple[int, int, int]:
        """How many instances from this score on are right and wrong, from an overlap of 0.5, and how many objects missed."""
        own = self.matches
        code = own.masks[(own.scores >= score), 0]
        counted = code[code >> len(OVERLAPS) & 1 == 0]
        right = int((counted & 1).sum())
        missed = (own.objects[:, 1] == 0) & (own.found < score)
        return right, len(counted) - right, int(missed.sum())


def summarise(
    seen: Sequence[EvaluatedImage], class_names: Sequence[str], score: float, about: Mapping[str, Any]
) -> dict[str, Any]:
    """The contents of report.json.

    Args:
        seen: the images, in any order; that of their ids is pycocotools' one, and decides between equal scores.
        class_names: of the model.
        score: instances count as right, wrong and missed from here on.
        about: ``device``, ``precision``, ``model``, ``input`` and ``truth``.
    """
    table = Table.of([own.matches for own in sorted(seen, key=lambda own: own.id)])
    measured = measure(table, class_names)
    labels = range(1, len(class_names) + 1)
    masks = curves(table, table.matches.masks[:, 0], 0, labels)
    precision = {name: masks[0, :, i].tolist() for i, name in enumerate(class_names) if masks[0, 0, i] > -1}
    times = [own.milliseconds for own in seen]
    quantiles = np.percentile(times, [50, 95, 99, 100]).tolist()
    return {
        "frames_in": len(seen),
        "frames_out": len(seen),
        "frames_dropped": 0,
        "latency_ms": {name: round(value, 2) for name, value in zip(("p50", "p95", "p99", "max"), quantiles, strict=True)},
        "stage_ms": {},
        "fps": round(1000 * len(times) / sum(times), 2),
        **about,
        "score_floor": 0.0,
        "score": score,
        "ap": {key: measured[key] for key in ("segm", "bbox", "per_class")},
        "mAPr": measured["mAPr"],
        "recall": recall(table, class_names),
        "classes": {
            name: {"AP": mean(masks[:, :, i]), "AP50": mean(masks[0, :, i]), "AP75": mean(masks[5, :, i])}
            for i, name in enumerate(class_names)
        },
        "curve": {"recall": RECALLS.tolist(), "precision": precision},
        "sweep": sweep(table, class_names),
        "seed": None,
        "versions": versions(),
    }


def choose(seen: Sequence[EvaluatedImage], score: float) -> list[tuple[str, EvaluatedImage]]:
    """The images to show as ("best" or "worst", image).

    The best have something right and no more wrong or missed than that, and the most beyond it; the worst are those of the
    others with the most that is wrong or missed. Of equal images the first by id.
    """
    counts = {own.id: own.counts(score) for own in seen}

    def lead(own: EvaluatedImage) -> int:
        right, wrong, missed = counts[own.id]
        return right - wrong - missed

    def faults(own: EvaluatedImage) -> int:
        return sum(counts[own.id][1:])

    ordered = sorted(seen, key=lambda own: own.id)
    good = [own for own in ordered if counts[own.id][0] and lead(own) >= 0]
    best = sorted(good, key=lambda own: (lead(own), counts[own.id][0]), reverse=True)[:SHOWN]
    shown = {own.id for own in best}
    worst = sorted((own for own in ordered if faults(own) and own.id not in shown), key=faults, reverse=True)[:SHOWN]
    return [*(("best", own) for own in best), *(("worst", own) for own in worst)]


def page(report: Mapping[str, Any], shown: Sequence[tuple[str, EvaluatedImage, bytes]]) -> Content:
    """What report.html says beside the report; ``shown`` are the images of ``choose`` with their JPEGs."""
    pictures = []
    for group, own, jpeg in shown:
        right, wrong, missed = own.counts(report["score"])
        caption = f"{own.file_name}: {right} right, {wrong} wrong, {missed} missed"
        pictures.append(Picture(f"image-{own.id}", caption, jpeg, (group,)))
    ap, truth = report["ap"]["segm"], report["truth"]
    return Content(
        intro=f"{report['model']} on {report['device']}, {report['precision']}.",
        cards=[
            (str(report["frames_in"]), "images", False),
            (number(ap["AP"]), "mask AP", False),
            (number(ap["AP50"]), "mask AP50", False),
            (number(report["mAPr"]["0.5"]), "mAPr at 0.5", False),
            (f"{report['latency_ms']['p50']:.0f} ms", "for an image, median", False),
        ],
        facts=[("truth", f"{truth['file']}, sha256 {truth['sha256'][:16]}")],
        pictures=pictures,
        speed=[("an image took", "ms", [(name, number(value, 1)) for name, value in report["latency_ms"].items()])],
    )


def tables(report: Mapping[str, Any]) -> str:
    """The report as tables for the terminal."""
    ap, found = report["ap"], report["recall"]
    seconds = 1 / report["fps"]
    lines = [f"{report['model']} on {report['device']}, {report['frames_in']} images, {seconds:.3f} s a frame", ""]
    width = max(14, *(len(name) + 2 for name in report["classes"]))

    def row(what: str, *values: float | None) -> None:
        lines.append(f"{what:<{width}}" + "".join(f"{number(value):>9}" for value in values))

    def head(what: str, *names: str) -> None:
        lines.append(f"{what:<{width}}" + "".join(f"{name:>9}" for name in names))

    kinds = ("AP", "AP50", "AP75")
    head("", *kinds)
    row("masks", *(ap["segm"][key] for key in kinds))
    row("boxes", *(ap["bbox"][key] for key in kinds))
    lines.append("")
    head("masks by size", "small", "medium", "large")
    row("AP", *(ap["segm"][f"AP_{size}"] for size in ("small", "medium", "large")))
    row("AR", *(found[f"AR_{size}"] for size in ("small", "medium", "large")))
    lines.append("")
    head("masks an image", "1", "10", "100")
    row("AR", *(found[f"AR{most}"] for most in (1, 10, 100)))
    lines.append("")
    head("class", *kinds)
    for name, values in report["classes"].items():
        row(name, *(values[key] for key in kinds))
    lines += ["", *(f"{f'mAPr at {overlap}':<{width}}{number(value):>9}" for overlap, value in report["mAPr"].items())]
    return "\n".join(lines)
