# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: report.json, report.html, and a table for the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fcis_ros.metrics.comparison import WORSE
from fcis_ros.results.frame_selection import FrameKey, frame_key
from fcis_ros.results.latency_plot import latency_plot
from fcis_ros.results.page import TIMELINES, Content, Picture, interval, picture_id, write_page
from fcis_ros.results.report_parts import format_number, lost_row, write_json
from fcis_ros.results.run_reader import PICTURES, RunReader, picture_path
from fcis_ros.results.short_names import short_names
from fcis_ros.results.summary import LATENCIES, summarise

PAGE_PICTURES = 120  # maximum for the timelines, so that the page stays small
FILES = {
    "report.json": "the numbers of this page",
    "detections.json": "detections in annotated frames, COCO results",
    "annotations.json": "ground truth of these frames, with the same ids",
    "unannotated.json": "detections in the other frames, COCO results",
    "frames.jsonl": "every frame, with its matches",
    "timing.json": "run time",
    "overlay.mp4": "the clip with masks drawn; a dropped frame shows the latest masks",
    "input_bag": "the frames as replayed, rosbag2 (MCAP)",
    "output_bag": "masks and overlays from the node, rosbag2 (MCAP)",
    "node.log": "output of the node",
}


def write_report(folder: Path, score: float | None = None, comparison: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Writes report.json and report.html from what the folder holds.

    Args:
        folder: folder of the evaluation.
        score: score threshold; None for that of the evaluation, with which the pictures were drawn.
        comparison: result of ``baseline.compare_with``; None without a baseline.

    Returns:
        The contents of report.json.

    Raises:
        InputError: the folder holds no evaluation.
    """
    report = {**summarise(folder, score), "comparison": comparison}
    shown, bags = _shown(report), len(report["bags"])
    pictures = [
        Picture(picture_id(frame), _caption(frame, bags), image, tuple(groups))
        for frame, groups in shown
        if (image := _picture(folder, frame_key(frame)))
    ]
    report["pictures"] = {"shown": len(pictures), "missing": len(shown) - len(pictures)}
    write_json(report, folder / "report.json")
    write_page(report, content(report, folder, pictures), folder / "report.html")
    return report


def content(report: Mapping[str, Any], folder: Path, pictures: list[Picture]) -> Content:
    """Returns the contents of the page that are not in the report."""
    warnings = []
    if report["shard"][1] > 1:
        warnings.append(f"This is only shard {report['shard'][0]} of {report['shard'][1]}.")
    if report["comparison"] and report["comparison"]["regressed"]:
        worse = (change["measure"] for change in report["comparison"]["changes"] if change["verdict"] == WORSE)
        warnings.append(f"Worse than the baseline: {', '.join(worse)}.")
    if missing := _missing(report):
        warnings.append(f"Missing pictures: {missing}.")
    model = f"{report['model']} on {report['device']}, {report['precision']}"
    intro = f"{model}. Every usable frame was evaluated, offline."
    live = RunReader(folder).live() if report["mode"] == "live" else None
    if live:
        pace = f"at {live['rate']:g} frames per second" if live["rate"] else "at the recorded times"
        intro = f"{model}. Frames were published to a running fcis_node {pace}; latency is from publishing to receiving masks."
    return Content(
        intro=intro,
        warnings=warnings,
        cards=_cards(report),
        facts=_facts(report),
        pictures=pictures,
        speed=_speed(report) if live else (),
        speed_notes=(DROPPED,) if report["frames_dropped"] else (),
        plot=latency_plot(live["sent"], live["latency_ms"]) if live else None,
        files={name: text for name, text in FILES.items() if (folder / name).exists()},
    )


DROPPED = (
    "While the node processes a frame, only the newest other frame waits; a frame that it replaces is counted as overwritten. "
    "So latency does not grow when frames come faster than the network processes them. AP is over all frames that were sent; "
    "a dropped frame has no detections."
)


def _speed(report: Mapping[str, Any]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    tables = [("latency", "ms", [(name, format_number(value, 1)) for name, value in report["latency_ms"].items()])]
    if report["stage_ms"]:
        stages = [(name, format_number(value, 1)) for name, value in report["stage_ms"].items()]
        tables.append(("stage in the node (median)", "ms", stages))
    if report["frames_dropped"]:
        tables.append(("dropped", "frames", [(reason, str(count)) for reason, count in report["dropped"].items() if count]))
    return tables


def _shown(report: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], list[str]]]:
    """The frames of the gallery and of the timeline, each once, with its groups."""
    shown: dict[FrameKey, tuple[Mapping[str, Any], list[str]]] = {}
    of_bins = [each["picture"] for each in report["timeline"]]
    if len(of_bins) > PAGE_PICTURES:
        of_bins = sorted(of_bins, key=lambda frame: -(frame["wrong"] + frame["missed"]))[:PAGE_PICTURES]
    for name, frames in (*report["gallery"].items(), ("timeline", sorted(of_bins, key=frame_key))):
        for frame in frames:
            shown.setdefault(frame_key(frame), (frame, []))[1].append(name)
    return list(shown.values())


def _picture(folder: Path, key: FrameKey) -> bytes | None:
    """The JPEG of a frame; None if it is missing or damaged."""
    try:
        image = picture_path(folder, key).read_bytes()
    except OSError:
        return None
    return image if image.startswith(b"\xff\xd8") and image.endswith(b"\xff\xd9") else None


def _missing(report: Mapping[str, Any]) -> str | None:
    """Number of missing pictures, and the reason; None if none is missing."""
    missing, shown = report["pictures"]["missing"], report["pictures"]["shown"]
    why = f"missing or damaged in {PICTURES}"
    if report["score"] != report["evaluated_score"]:
        why = f"the evaluation kept the pictures for a score of {report['evaluated_score']:g}"
    return f"{missing} of {missing + shown} ({why})" if missing else None


def _caption(frame: Mapping[str, Any], bags: int) -> str:
    where = f"recording {frame['bag'] + 1}, " if bags > 1 else ""
    text = f"{where}frame {frame['index']} ({frame['name']}) at {frame['second']:.1f} s"
    if not frame["annotated"]:
        return text
    return f"{text}: {frame['right']} true positives, {frame['wrong']} false positives, {frame['missed']} false negatives"


def _cards(report: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    frames_out, frames_in = report["frames_out"], report["frames_in"]
    evaluated = f"{frames_out} / {frames_in}", "frames evaluated", frames_out < frames_in
    if report["ap"] is None:
        return [evaluated, (str(report["detections"]), "detections", False)]
    return [
        evaluated,
        (str(report["frames_annotated"]), "frames annotated", not report["frames_annotated"]),
        (format_number(report["ap"]["segm"]["AP"]), "mask AP", False),
        (format_number(report["ap"]["segm"]["AP50"]), "mask AP50", False),
        (format_number(report["mAPr"]["0.5"]), "mAPr at 0.5", False),
        (f"{_best(report)['score']:g}", "score threshold with the best F1", False),
    ]


def _best(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry of the score threshold with the best F1."""
    return max(report["sweep"]["all"], key=lambda line: line["f1"] or 0)


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    truth, first = report["truth"], report["bags"][:TIMELINES]
    names = short_names([bag["path"] for bag in report["bags"]])
    facts = [
        ("recording", f"{name}, topic {bag['topic']}, {bag['messages']} messages")
        for name, bag in zip(names, first, strict=False)
    ]
    if len(report["bags"]) > TIMELINES:
        facts.append(("", f"and {len(report['bags']) - TIMELINES} more, without a timeline"))
    facts.append(("model", f"{report['model']}, sha256 {report['model_sha256'][:16]}"))
    if truth:
        facts.append(("ground truth", f"{truth.get('file') or truth.get('topic')}, frames matched by {truth['matched_by']}"))
    if report["frames_out"] - report["frames_annotated"]:
        facts.append(("frames without ground truth", str(report["frames_out"] - report["frames_annotated"])))
    if len(report["timeline"]) > PAGE_PICTURES:
        facts.append(("pictures", f"of the {PAGE_PICTURES} time bins with the most errors, of {len(report['timeline'])}"))
    if report["frames_repeated"]:
        facts.append(("of these with the ground truth of an earlier frame", str(report["frames_repeated"])))
    return facts


def rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the report as (name, value) rows of text."""
    lines = [("input", report["input"]), ("model", f"{report['model']} on {report['device']}, {report['precision']}")]
    if not report["complete"]:
        lines.append(("NOT COMPLETE", report["state"]))
    if lost := lost_row(report["findings"]):
        lines.append(lost)
    if report["mode"] == "live":
        lines += _live_rows(report)
    else:
        lines.append(("frames evaluated / in the shard", f"{report['frames_out']} / {report['frames_in']}"))
    if missing := _missing(report):
        lines.append(("missing pictures", missing))
    if report["frames_repeated"]:
        lines.append(("frames with the annotation of another frame", f"{report['frames_repeated']} (not measured)"))
    lines.append(("detections", f"{report['detections']} from score {report['score_floor']:g}"))
    ap = report["ap"]
    if ap is None:
        return [*lines, ("AP", "no annotated frame")]
    lines.append((f"frames annotated, by {report['matched_by']}", str(report["frames_annotated"])))
    for name, kind in (("mask", "segm"), ("box", "bbox")):
        lines.append((f"{name} AP / AP50 / AP75", " / ".join(format_number(ap[kind][key]) for key in ("AP", "AP50", "AP75"))))
    if report["ap_answered"] and report["frames_dropped"]:
        values = (format_number(report["ap_answered"]["segm"][key]) for key in ("AP", "AP50", "AP75"))
        lines.append(("mask AP / AP50 / AP75, answered frames only", " / ".join(values)))
    sizes = (format_number(ap["segm"][f"AP_{size}"]) for size in ("small", "medium", "large"))
    lines.append(("mask AP small / medium / large", " / ".join(sizes)))
    lines.append(("mAPr at 0.5 / 0.7", " / ".join(format_number(report["mAPr"][key]) for key in ("0.5", "0.7"))))
    lines.append(("mask AP50 by class", ", ".join(f"{name} {format_number(value)}" for name, value in ap["per_class"].items())))
    best = _best(report)
    shares = (
        f"precision {format_number(best['precision'])}, recall {format_number(best['recall'])}, F1 {format_number(best['f1'])}"
    )
    if tracks := report["tracks"]:
        lines.append(("track ids: IDF1, switches", f"{format_number(tracks['idf1'])}, {tracks['switches']}"))
    lines.append(("best score threshold", f"{best['score']:g}: {shares}"))
    for change in (report["comparison"] or {"changes": ()})["changes"]:
        difference = f"{format_number(change['before'])} -> {format_number(change['now'])}, {interval(change)}"
        lines.append((f"{change['measure']} is {change['verdict']}", difference))
    return lines


def _live_rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    latency = (format_number(report["latency_ms"][name], 0) for name in LATENCIES)
    lines = [
        ("frames in / out / dropped", f"{report['frames_in']} / {report['frames_out']} / {report['frames_dropped']}"),
        ("frames per second", format_number(report["fps"], 1)),
        ("latency ms p50 / p95 / p99 / max", " / ".join(latency)),
    ]
    reasons = ", ".join(f"{count} {reason}" for reason, count in report["dropped"].items() if count)
    if reasons:
        lines.append(("reasons for drops", reasons))
    if report["stage_ms"]:
        lines.append(("stages ms (p50)", ", ".join(f"{name} {value:.0f}" for name, value in report["stage_ms"].items())))
    return lines


def table(report: Mapping[str, Any]) -> str:
    """Returns the report as aligned text."""
    lines = rows(report)
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)
