# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""report.html: one page that needs no network, for the demo, recordings and annotated images alike."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from fcis_ros.files import atomic_path
from fcis_ros.results.report_parts import number

BAR_WIDTH, BAR_HEIGHT = 960, 76
KINDS = (  # of counts: key of report.json, name on the page, colour of its bars
    ("right", "true positives", "#2e7d4f"),
    ("wrong", "false positives", "#d9822b"),
    ("missed", "false negatives", "#b3271b"),
    ("found", "detections", "#1f6f8b"),
)


@dataclass(frozen=True)
class Picture:
    """A picture of the page.

    Attributes:
        id: unique id in the page.
        caption: text below the picture.
        jpeg: content of the JPEG file.
        groups: filters that show the picture, single words.
    """

    id: str
    caption: str
    jpeg: bytes
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class TimeBin:
    """One of the equal parts of a recording.

    Attributes:
        second: time of its first frame, seconds since the beginning of the recording.
        frames: number of its frames.
        counts: {key of ``KINDS``: number over all its frames}; ``found`` alone where nothing is annotated.
        picture: id of the picture that shows it; None without one.
    """

    second: float
    frames: int
    counts: Mapping[str, int]
    picture: str | None


@dataclass(frozen=True)
class Comparison:
    """The comparison with the baseline.

    Attributes:
        note: text on how it was computed.
        rows: rows of (measure, before, now, difference, verdict).
    """

    note: str
    rows: Sequence[tuple[str, str, str, str, str]]


@dataclass(frozen=True)
class Content:
    """The contents of a page that are not in the report.

    Attributes:
        intro: text on how the numbers were measured.
        warnings: texts at the top of the page.
        cards: (number, its meaning, whether it is bad).
        facts: (name, value) of the input and the model.
        pictures: pictures, in order.
        timelines: (title, time bins) of each recording.
        comparison: comparison with the baseline; None without one.
        speed: tables of (title, unit, rows).
        speed_notes: texts below these tables.
        plot: PNG above these tables; None without one.
        files: {relative path: description}.
    """

    intro: str
    warnings: Sequence[str] = ()
    cards: Sequence[tuple[str, str, bool]] = ()
    facts: Sequence[tuple[str, str]] = ()
    pictures: Sequence[Picture] = ()
    timelines: Sequence[tuple[str, Sequence[TimeBin]]] = ()
    comparison: Comparison | None = None
    speed: Sequence[tuple[str, str, Sequence[tuple[str, str]]]] = ()
    speed_notes: Sequence[str] = ()
    plot: bytes | None = None
    files: Mapping[str, str] = field(default_factory=dict)


def write_page(report: Mapping[str, Any], content: Content, path: Path) -> None:
    """Writes the page; after an error the file is as it was before.

    Args:
        report: contents of report.json: ``input``, ``ap``, ``mAPr``, ``versions``, and where they are known ``ap_answered``,
            ``sweep``, ``curve``, ``score``, ``score_floor`` and ``tracks``.
        content: other contents of the page.
        path: file to write.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["number"] = number
    template = environment.from_string(resources.files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8"))
    sweep = report.get("sweep")
    page = template.render(
        report={"sweep": None, "tracks": None, **report},
        intro=content.intro,
        warnings=content.warnings,
        cards=content.cards,
        facts=content.facts,
        accuracy=_accuracy(report),
        classes=_classes(report),
        kinds=KINDS[:3],
        at_score=_at(sweep["all"], report["score"])["score"] if sweep else None,
        chart=_chart(report),
        comparison=content.comparison,
        timeline=[_timeline(title, bins) for title, bins in content.timelines if bins],
        pictures=[
            {"id": each.id, "caption": each.caption, "groups": each.groups, "data": _inline("jpeg", each.jpeg)}
            for each in content.pictures
        ],
        filters=_filters(content.pictures),
        speed=content.speed,
        speed_notes=content.speed_notes,
        plot=_inline("png", content.plot) if content.plot else None,
        files=content.files,
    )
    with atomic_path(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _accuracy(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    rows = []
    for name, kind in (("masks", "segm"), ("boxes", "bbox")) if report["ap"] else ():
        rows.append((name, report["ap"][kind]))
        if report.get("ap_answered") and report["frames_dropped"]:
            rows.append((f"{name}, answered frames only", report["ap_answered"][kind]))
    return rows


def _classes(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, ap50 in (report["ap"]["per_class"] if report["ap"] else {}).items():
        at = _at(report["sweep"][name], report["score"]) if report.get("sweep") else None
        rows.append({"name": name, "ap50": ap50, "at": at, "objects": at and at["right"] + at["missed"]})
    return rows


def _at(lines: Sequence[Mapping[str, Any]], score: float) -> Mapping[str, Any]:
    """The entry of the nearest threshold."""
    return min(lines, key=lambda line: (abs(line["score"] - score), line["score"]))


def _chart(report: Mapping[str, Any]) -> dict[str, Any] | None:
    sweep = report.get("sweep")
    if not sweep:
        return None
    known = {name: lines for name, lines in sweep.items() if lines[0]["recall"] is not None or lines[0]["wrong"]}
    start = sweep["all"].index(_at(sweep["all"], report["score"]))
    return {"sweep": known or {"all": sweep["all"]}, "curve": report["curve"]["precision"], "start": start}


def _filters(pictures: Sequence[Picture]) -> list[tuple[str, int]]:
    names = dict.fromkeys(group for picture in pictures for group in picture.groups)
    return [(name, sum(name in picture.groups for picture in pictures)) for name in names]


def _timeline(title: str, bins: Sequence[TimeBin]) -> dict[str, Any]:
    width, last = BAR_WIDTH / len(bins), len(bins) - 1
    most = max(sum(each.counts.values()) / each.frames for each in bins) or 1
    bars = []
    for index, each in enumerate(bins):
        y, parts, texts = float(BAR_HEIGHT), [], []
        for kind, name, fill in KINDS:
            if kind in each.counts:
                texts.append(f"{each.counts[kind]} {name}")
            if height := BAR_HEIGHT * each.counts.get(kind, 0) / each.frames / most:
                y -= height
                parts.append({"y": round(y, 2), "height": round(height, 2), "fill": fill})
        bars.append(
            {"x": round(index * width, 2), "width": round(max(width - 1, 0.5), 2), "parts": parts, "link": each.picture,
             "title": f"{_clock(each.second)}: {each.frames} frames, {', '.join(texts)}"}
        )  # fmt: skip
    anchors = {0: "start", last: "end"}
    ticks = [
        {"x": round((index + (index == last)) * width, 1), "anchor": anchors.get(index, "middle"),
         "text": _clock(bins[index].second)}
        for index in sorted({0, len(bins) // 2, last})
    ]  # fmt: skip
    return {"title": title, "bars": bars, "ticks": ticks}


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(max(seconds, 0.0), 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _inline(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
