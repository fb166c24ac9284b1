# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""report.html: one page that needs no network, for the demo, recordings and annotated images alike."""

import base64
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from fcis_ros.files import atomic_path
from fcis_ros.findings import from_json, shortened
from fcis_ros.results.report_parts import format_number
from fcis_ros.results.short_names import short_names

BAR_WIDTH, BAR_HEIGHT = 960, 76
TIMELINES = 20  # maximum number of recordings with a timeline
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
class Content:
    """The contents of a page that are not in the report.

    Attributes:
        intro: text on how the numbers were measured.
        warnings: texts at the top of the page.
        cards: (number, its meaning, whether it is bad).
        facts: (name, value) of the input and the model.
        pictures: pictures, in order.
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
    speed: Sequence[tuple[str, str, Sequence[tuple[str, str]]]] = ()
    speed_notes: Sequence[str] = ()
    plot: bytes | None = None
    files: Mapping[str, str] = field(default_factory=dict)


def picture_id(frame: Mapping[str, Any]) -> str:
    """Returns the id of the picture of a frame of report.json."""
    return f"frame-{frame['bag']}-{frame['index']}"


def write_page(report: Mapping[str, Any], content: Content, path: Path) -> None:
    """Writes the page; after an error the file is as it was before.

    Args:
        report: contents of report.json: ``input``, ``findings``, ``ap``, ``mAPr``, ``versions``, and where they are known
            ``ap_answered``, ``sweep``, ``curve``, ``score``, ``score_floor``, ``tracks``, ``comparison``, ``bags`` and
            ``timeline``.
        content: other contents of the page.
        path: file to write.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["number"] = format_number
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    template = environment.from_string(resources.files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8"))
    report = {"sweep": None, "tracks": None, "comparison": None, "timeline": (), **report}
    page = template.render(
        report=report,
        content=content,
        lost=_lines(report["findings"], lost=True),
        remarks=_lines(report["findings"], lost=False),
        accuracy=_accuracy(report),
        classes=_classes(report),
        kinds=KINDS[:3],
        at_score=_at(report["sweep"]["all"], report["score"])["score"] if report["sweep"] else None,
        chart=_chart(report),
        comparison=_comparison(report["comparison"]),
        timeline=_timelines(report, {picture.id for picture in content.pictures}),
        filters=Counter(group for picture in content.pictures for group in picture.groups),
    )
    with atomic_path(path) as partial:
        partial.write_text(page, encoding="utf-8")


def _lines(findings: Sequence[Mapping[str, Any]], lost: bool) -> list[str]:
    return shortened([str(finding) for finding in from_json(findings) if finding.lost == lost], ", in report.json")


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
        at = _at(report["sweep"][name], report["score"]) if report["sweep"] else None
        rows.append({"name": name, "ap50": ap50, "at": at, "objects": at and at["right"] + at["missed"]})
    return rows


def _at(lines: Sequence[Mapping[str, Any]], score: float) -> Mapping[str, Any]:
    """The entry of the nearest threshold."""
    return min(lines, key=lambda line: (abs(line["score"] - score), line["score"]))


def _chart(report: Mapping[str, Any]) -> dict[str, Any] | None:
    if not (sweep := report["sweep"]):
        return None
    known = {name: lines for name, lines in sweep.items() if lines[0]["recall"] is not None or lines[0]["wrong"]}
    start = sweep["all"].index(_at(sweep["all"], report["score"]))
    return {"sweep": known or {"all": sweep["all"]}, "curve": report["curve"]["precision"], "start": start}


def _comparison(comparison: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    how = "the same frames" if comparison["paired"] else "other frames"
    baseline = "/".join(comparison["baseline"].split("/")[-2:])  # folder and report.json
    note = f"Against {baseline} ({how}); 95 % intervals of the difference, by a bootstrap over the frames."
    note += f" Differences up to {comparison['tolerance']:g} are ignored."
    rows = [
        (change["measure"], format_number(change["before"]), format_number(change["now"]), interval(change), change["verdict"])
        for change in comparison["changes"]
    ]
    return {"note": note, "rows": rows}


def interval(change: Mapping[str, Any]) -> str:
    """Formats the difference of a measure with its confidence interval; a dash if a value is undefined."""
    if change["low"] is None:
        return "–"
    return f"{change['now'] - change['before']:+.3f} ({change['low']:+.3f} to {change['high']:+.3f})"


def _timelines(report: Mapping[str, Any], pictures: Collection[str]) -> list[dict[str, Any]]:
    """Bars for the time bins of the first recordings, each with a link to its picture if that is on the page."""
    bins: dict[int, list[Mapping[str, Any]]] = {}
    for time_bin in report["timeline"]:
        bins.setdefault(time_bin["bag"], []).append(time_bin)
    kinds = KINDS[:3] if report["ap"] else KINDS[3:]
    shown = list(bins.items())[:TIMELINES]
    names = short_names([bag["path"] for bag in report.get("bags", ())])
    return [_timeline(names[bag], of_bag, kinds, pictures) for bag, of_bag in shown]


def _timeline(
    title: str, bins: Sequence[Mapping[str, Any]], kinds: Sequence[tuple[str, str, str]], pictures: Collection[str]
) -> dict[str, Any]:
    width, last = BAR_WIDTH / len(bins), len(bins) - 1
    most = max(sum(each[kind] for kind, _, _ in kinds) / each["frames"] for each in bins) or 1
    bars = []
    for index, each in enumerate(bins):
        y, parts = float(BAR_HEIGHT), []
        for kind, _, fill in kinds:
            if height := BAR_HEIGHT * each[kind] / each["frames"] / most:
                y -= height
                parts.append({"y": round(y, 2), "height": round(height, 2), "fill": fill})
        counts = ", ".join(f"{each[kind]} {name}" for kind, name, _ in kinds)
        link = picture_id(each["picture"])
        bars.append(
            {"x": round(index * width, 2), "width": round(max(width - 1, 0.5), 2), "parts": parts,
             "link": link if link in pictures else None,
             "title": f"{_clock(each['second'])}: {each['frames']} frames, {counts}"}
        )  # fmt: skip
    anchors = {0: "start", last: "end"}
    ticks = [
        {"x": round((index + (index == last)) * width, 1), "anchor": anchors.get(index, "middle"),
         "text": _clock(bins[index]["second"])}
        for index in sorted({0, len(bins) // 2, last})
    ]  # fmt: skip
    return {"title": title, "bars": bars, "ticks": ticks}


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(seconds, 0.0), 60)
    return f"{int(minutes)}:{rest:04.1f}"
