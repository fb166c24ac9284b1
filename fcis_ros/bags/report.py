# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation's folder, as JSON and as text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fcis_ros.bags.summary import summarise
from fcis_ros.evaluation.report import number, write_json


def write_report(folder: Path) -> dict[str, Any]:
    """Writes report.json from what the folder holds; returns its contents."""
    report = summarise(folder)
    write_json(report, folder / "report.json")
    return report


def rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The report as (what, value) lines for people."""
    lines = [("input", report["input"]), ("model", f"{report['model']} on {report['device']}, {report['precision']}")]
    if not report["complete"]:
        lines.append(("NOT COMPLETE", f"{report['state']}: {report['problem'] or 'start it again to go on'}"))
    lines.append(("frames evaluated / in the part", f"{report['frames_out']} / {report['frames_in']}"))
    for reason, count in report["unusable_reasons"].items():
        lines.append(("frames that could not be used", f"{count}: {reason}"))
    if report["frames_repeated"]:
        lines.append(("frames with an annotation that another had", f"{report['frames_repeated']} (not measured)"))
    lines.append(("detections", f"{report['detections']} from score {report['score_floor']:g}"))
    ap = report["ap"]
    if ap is None:
        return [*lines, ("AP", "no annotated frame")]
    lines.append((f"frames annotated, by {report['matched_by']}", str(report["frames_annotated"])))
    for what, kind in (("mask", "segm"), ("box", "bbox")):
        lines.append((f"{what} AP / AP50 / AP75", " / ".join(number(ap[kind][key]) for key in ("AP", "AP50", "AP75"))))
    sizes = (number(ap["segm"][f"AP_{size}"]) for size in ("small", "medium", "large"))
    lines.append(("mask AP small / medium / large", " / ".join(sizes)))
    lines.append(("mAPr at 0.5 / 0.7", " / ".join(number(report["mAPr"][key]) for key in ("0.5", "0.7"))))
    lines.append(("mask AP50 by class", ", ".join(f"{name} {number(value)}" for name, value in ap["per_class"].items())))
    best = max(report["sweep"]["all"], key=lambda line: line["f1"] or 0)
    shares = f"precision {number(best['precision'])}, recall {number(best['recall'])}, F1 {number(best['f1'])}"
    return [*lines, ("best threshold of the score", f"{best['score']:g}: {shares}")]


def table(report: Mapping[str, Any]) -> str:
    """The report as aligned text."""
    lines = rows(report)
    width = max(len(what) for what, _ in lines)
    return "\n".join(f"{what:<{width}}  {value}" for what, value in lines)
