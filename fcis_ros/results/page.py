# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""report.html: one page that works without a network, for the demo, recordings and annotated images alike."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from fcis_ros.results.report_parts import number

BAR_WIDTH, BAR_HEIGHT = 960, 76
FILLS = (("right", "#2e7d4f"), ("wrong", "#d9822b"), ("missed", "#b3271b"), ("found", "#1f6f8b"))


@dataclass(frozen=True)
class Picture:
    """One that the page shows.

    Attributes:
        id: the page's own name for it, unique.
        caption: below it.
        jpeg: its file.
        groups: filters that it belongs to, single words.
    """

    id: str
    caption: str
    jpeg: bytes
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moment:
    """A stretch of time.

    Attributes:
        second: at which it begins.
        frames: in it.
        counts: {right, wrong, missed} of all its frames, or {found} where nothing is annotated.
        picture: id of the picture that shows it; None for none.
    """

    second: float
    frames: int
    counts: Mapping[str, int]
    picture: str | None


@dataclass(frozen=True)
class Comparison:
    """With an earlier evaluation.

    Attributes:
        note: on how it was made.
        rows: (measure, before, now, difference, verdict).
    """

    note: str
    rows: Sequence[tuple[str, str, str, str, str]]


@dataclass(frozen=True)
class Content:
    """What a page says beside the report.

    Attributes:
        intro: a line or two on how the figures came about.
        warnings: what must not be overlooked, first of all.
        cards: (figure, what it is, whether it is bad).
        facts: (what, value) of what was evaluated.
        pictures: in order.
        timelines: (title, moments) of each recording.
        comparison: with an earlier evaluation.
        speed: tables of (title, unit, lines).
        speed_notes: below them.
        plot: PNG above them.
        files: relative path -> what it is.
    """

    intro: str
    warnings: Sequence[str] = ()
    cards: Sequence[tuple[str, str, bool]] = ()
    facts: Sequence[tuple[str, str]] = ()
    pictures: Sequence[Picture] = ()
    timelines: Sequence[tuple[str, Sequence[Moment]]] = ()
    comparison: Comparison | None = None
    speed: Sequence[tuple[str, str, Sequence[tuple[str, str]]]] = ()
    speed_notes: Sequence[str] = ()
    plot: bytes | None = None
    files: Mapping[str, str] = field(default_factory=dict)


def write_page(report: Mapping[str, Any], content: Content, path: Path) -> None:
    """Writes the page, aside first.

    Args:
        report: the contents of report.json: ``input``, ``ap``, ``mAPr``, ``versions``, and where they are known
            ``ap_answered``, ``sweep``, ``curve``, ``score``, ``score_floor`` and ``tracks``.
        content: the rest.
        path: the file.
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
        at_score=_at(sweep["all"], report["score"])["score"] if sweep else None,
        chart=_chart(report),
        comparison=content.comparison,
        timeline=[_timeline(title, moments) for title, moments in content.timelines if moments],
        pictures=[
            {"id": own.id, "caption": own.caption, "groups": own.groups, "data": _inline("jpeg", own.jpeg)}
            for own in content.pictures
        ],
        filters=_filters(content.pictures),
        speed=content.speed,
        speed_notes=content.speed_notes,
        plot=_inline("png", content.plot) if content.plot else None,
        files=content.files,
    )
    aside = path.with_name(path.name + ".partial")
    aside.write_text(page, encoding="utf-8")
    aside.replace(path)


def _accuracy(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    rows = []
    for what, kind in (("masks", "segm"), ("boxes", "bbox")) if report["ap"] else ():
        rows.append((what, report["ap"][kind]))
        if report.get("ap_answered") and report["frames_dropped"]:
            rows.append((f"{what}, answered frames only", report["ap_answered"][kind]))
    return rows


def _classes(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, ap50 in (report["ap"]["per_class"] if report["ap"] else {}).items():
        at = _at(report["sweep"][name], report["score"]) if report.get("sweep") else None
        rows.append({"name": name, "ap50": ap50, "at": at, "objects": at and at["right"] + at["missed"]})
    return rows


def _at(lines: Sequence[Mapping[str, Any]], score: float) -> Mapping[str, Any]:
    """The line of the threshold that is nearest."""
    return min(lines, key=lambda line: (abs(line["score"] - score), line["score"]))


def _chart(report: Mapping[str, Any]) -> dict[str, Any] | None:
    sweep = report.get("sweep")
    if not sweep:
        return None
    known = {name: lines for name, lines in sweep.items() if lines[0]["recall"] is not None or lines[0]["wrong"]}
    start = sweep["all"].index(_at(sweep["all"], report["score"]))
    return {"sweep": known or {"all": sweep["all"]}, "curve": report["curve"]["precision"], "start": start}


def _filters(pictures: Sequence[Picture]) -> list[tuple[str, int]]:
    names = dict.fromkeys(group for own in pictures for group in own.groups)
    return [(name, sum(name in own.groups for own in pictures)) for name in names]


def _timeline(title: str, moments: Sequence[Moment]) -> dict[str, Any]:
    width = BAR_WIDTH / len(moments)
    most = max(sum(own.counts.values()) / own.frames for own in moments) or 1
    bars = []
    for index, own in enumerate(moments):
        y, parts = float(BAR_HEIGHT), []
        for name, fill in FILLS:
            height = BAR_HEIGHT * own.counts.get(name, 0) / own.frames / most
            if height:
                y -= height
                parts.append({"y": round(y, 2), "height": round(height, 2), "fill": fill})
        what = ", ".join(f"{count} {name}" for name, count in own.counts.items())
        bars.append(
            {"x": round(index * width, 2), "width": round(max(width - 1, 0.5), 2), "parts": parts, "link": own.picture,
             "title": f"{_clock(own.second)}: {own.frames} frames, {what}"}
        )  # fmt: skip
    places = sorted({0, len(moments) // 2, len(moments) - 1})
    anchors = {0: "start", len(moments) - 1: "end"}
    ticks = [
        {"x": round((place + (place == len(moments) - 1)) * width, 1), "anchor": anchors.get(place, "middle"),
         "text": _clock(moments[place].second)}
        for place in places
    ]  # fmt: skip
    return {"title": title, "bars": bars, "ticks": ticks}


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(max(seconds, 0.0), 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _inline(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
