# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""report.json and report.html: what went in, what came out, how fast and how good."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from fcis_ros.versions import versions

PICTURE_WIDTH = 640  # pixels; wider pictures are scaled down so that the page stays small


def summarise(
    *,
    frames_in: int,
    latencies: Sequence[float],
    seconds: float,
    stage_ms: Mapping[str, float],
    device: str,
    precision: str,
    model: str,
    source: str,
    rate: float,
    ap: Mapping[str, Any] | None,
    ap_answered: Mapping[str, Any] | None,
    seed: int | None,
    dropped: Mapping[str, int] | None = None,
    unusable: Sequence[str] = (),
) -> dict[str, Any]:
    """The contents of report.json.

    Args:
        frames_in: frames sent to the node.
        latencies: milliseconds from sending a frame to receiving its masks, one per answered frame.
        seconds: from sending the first frame to the last answer.
        stage_ms: median milliseconds per stage inside the node.
        device: what computed, as PyTorch names it.
        precision: arithmetic of the network, ``fp32`` for instance.
        model: name of the model.
        source: the input in a few words.
        rate: frames per second at which the input was played.
        ap: result of ``evaluation.coco.evaluate`` over all frames that were sent, nothing found in those without an answer;
            None without ground truth.
        ap_answered: the same over the answered frames alone.
        seed: seed of the synthetic clip, None for other inputs.
        dropped: the reasons, as the node counted them.
        unusable: why frames of the input were left out before anything was sent, one reason for each.
    """
    answered = len(latencies)
    quantiles = np.percentile(latencies, [50, 95, 99, 100]) if answered else [None] * 4
    return {
        "frames_in": frames_in,
        "frames_out": answered,
        "frames_dropped": frames_in - answered,
        "dropped": dict(dropped or {}),
        "frames_unusable": len(unusable),
        "unusable": unusable[0] if unusable else None,
        "latency_ms": {
            name: None if value is None else round(float(value), 2)
            for name, value in zip(("p50", "p95", "p99", "max"), quantiles, strict=True)
        },
        "stage_ms": {name: round(float(value), 2) for name, value in stage_ms.items()},
        "fps": round(answered / seconds, 2) if seconds > 0 else 0.0,
        "device": device,
        "precision": precision,
        "model": model,
        "input": source,
        "input_fps": round(rate, 2),
        "ap": _figures(ap),
        "ap_answered": _figures(ap_answered),
        "mAPr": None if ap is None else ap["mAPr"],
        "seed": seed,
        "versions": versions(),
    }


def _figures(ap: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if ap is None else {key: ap[key] for key in ("segm", "bbox", "per_class")}


def number(value: float | None, digits: int = 3) -> str:
    """A figure for people; None, a class without ground truth for instance, is a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The report as (what, value) lines for people."""
    latency = report["latency_ms"]
    lines = [
        ("input", f"{report['input']}, {report['input_fps']:g} frames/s"),
        ("model", f"{report['model']} on {report['device']}, {report['precision']}"),
        ("frames in / out / dropped", f"{report['frames_in']} / {report['frames_out']} / {report['frames_dropped']}"),
    ]
    reasons = ", ".join(f"{count} {reason}" for reason, count in report["dropped"].items() if count)
    if reasons:
        lines.append(("dropped because", reasons))
    if report["frames_unusable"]:
        lines.append(("frames that could not be used", f"{report['frames_unusable']}, the first: {report['unusable']}"))
    lines += [
        ("frames per second", number(report["fps"], 1)),
        ("latency ms p50 / p95 / p99 / max", " / ".join(number(latency[key], 0) for key in ("p50", "p95", "p99", "max"))),
    ]
    if report["stage_ms"]:
        lines.append(("stages ms (p50)", ", ".join(f"{name} {value:.0f}" for name, value in report["stage_ms"].items())))
    if ap := report["ap"]:
        lines += [
            (f"{what} AP / AP50 / AP75", " / ".join(number(ap[kind][key]) for key in ("AP", "AP50", "AP75")))
            for what, kind in (("mask", "segm"), ("box", "bbox"))
        ]
        if report["frames_dropped"]:
            answered = report["ap_answered"]["segm"]
            values = " / ".join(number(answered[key]) for key in ("AP", "AP50", "AP75"))
            lines.append(("mask AP / AP50 / AP75, answered frames only", values))
        lines.append(("mask AP50 by class", ", ".join(f"{name} {number(value)}" for name, value in ap["per_class"].items())))
        lines.append(("mAPr at 0.5 / 0.7", " / ".join(number(report["mAPr"][key]) for key in ("0.5", "0.7"))))
    else:
        lines.append(("AP", "no annotations given"))
    return lines


def table(report: Mapping[str, Any]) -> str:
    """The report as aligned text."""
    lines = rows(report)
    width = max(len(what) for what, _ in lines)
    return "\n".join(f"{what:<{width}}  {value}" for what, value in lines)


def write_json(report: Mapping[str, Any], path: Path) -> None:
    """Writes report.json, aside first."""
    aside = path.with_name(path.name + ".partial")
    aside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    aside.replace(path)


def write_html(
    report: Mapping[str, Any],
    path: Path,
    pictures: Sequence[tuple[str, np.ndarray]],
    sent: Sequence[float],
    latencies: Sequence[float | None],
    files: Mapping[str, str],
) -> None:
    """Writes one self-contained page; only the video and the bags stay outside.

    Args:
        report: what ``summarise`` returned.
        path: the file to write.
        pictures: (caption, [H, W, 3] uint8 RGB) to show.
        sent: second at which each frame was sent, from the first.
        latencies: milliseconds until its answer, None for a dropped frame.
        files: relative path -> what it is.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["number"] = number
    template = environment.from_string(resources.files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8"))
    page = template.render(
        report=report,
        pictures=[(caption, _inline("jpeg", _jpeg(image))) for caption, image in pictures],
        plot=_inline("png", latency_plot(sent, latencies)),
        files=files,
    )
    aside = path.with_name(path.name + ".partial")
    aside.write_text(page, encoding="utf-8")
    aside.replace(path)


def latency_plot(sent: Sequence[float], latencies: Sequence[float | None]) -> bytes:
    """PNG: latency of every frame over time, dropped frames marked, beside its distribution."""
    from matplotlib.figure import Figure  # slow to import, and needed here only

    answered = [(second, value) for second, value in zip(sent, latencies, strict=True) if value is not None]
    lost = [second for second, value in zip(sent, latencies, strict=True) if value is None]
    figure = Figure(figsize=(10, 2.9), layout="constrained")
    course, spread = figure.subplots(1, 2, gridspec_kw={"width_ratios": (3, 1)}, sharey=True)
    if answered:
        seconds, values = zip(*answered, strict=True)
        course.plot(seconds, values, ".-", color="#1f6f8b", linewidth=0.8, markersize=4, label="answered")
        course.axhline(float(np.median(values)), color="#888888", linewidth=0.8, linestyle="--", label="median")
        spread.hist(values, bins=30, orientation="horizontal", color="#1f6f8b")
    if lost:
        course.plot(lost, np.zeros(len(lost)), "x", color="#c0392b", markersize=5, label="dropped")
    if answered or lost:
        course.legend(loc="upper right", fontsize=8, frameon=False, ncol=3)
    course.set(xlabel="seconds since the first frame", ylabel="latency [ms]")
    course.set_ylim(bottom=-10 if lost else 0, top=1.25 * max((value for _, value in answered), default=1))
    spread.set(xlabel="frames")
    for axes in (course, spread):
        axes.spines[["top", "right"]].set_visible(False)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return data.getvalue()


def _jpeg(image: np.ndarray) -> bytes:
    height, width = image.shape[:2]
    if width > PICTURE_WIDTH:
        image = cv2.resize(image, (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width))), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _inline(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
