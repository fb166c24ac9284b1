# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Costs and accuracy as Markdown."""

from collections.abc import Sequence
from typing import Any

from experiments.prior_work.heads import NAMES


def tables(speed: dict[str, Any] | None, runs: dict[str, dict[str, Any]]) -> str:
    """Both, of what there is.

    Args:
        speed: contents of speed.json.
        runs: {head: contents of its file}.
    """
    return "\n\n".join([*([costs(speed)] if speed else []), *([accuracy(runs)] if runs else [])])


def costs(speed: dict[str, Any]) -> str:
    """Parameters, then milliseconds and memory against the number of ROIs, one table a scale."""
    lines = [f"{speed['device']}, PyTorch {speed['torch']}, {speed['date']}."]
    for scale, about in speed["scales"].items():
        costs = [cost for cost in speed["costs"] if cost["scale"] == scale]
        counts = sorted({cost["rois"] for cost in costs} - {0})
        (backbone,) = (cost["milliseconds"] for cost in costs if cost["head"] == "backbone")
        size = about["parameters"]
        facts = f"{millions(size['fcis']['backbone'])} parameters, {duration(backbone)} once"
        lines += ["", f"{about['title']} ({facts}), {about['classes']} classes, {about['width']}x{about['height']}:", ""]
        lines += header(["head", "parameters", "of these per ROI", "once per image", *(f"{count} ROIs" for count in counts)])
        for name, title in NAMES.items():
            cells = {cost["rois"]: cost for cost in costs if cost["head"] == name}
            taken = [f"{duration(cells[n]['milliseconds'])}, {number(cells[n]['megabytes'])} MB" for n in (0, *counts)]
            lines.append(row([title, millions(size[name]["head"]), millions(size[name]["per_roi"]), *taken]))
    return "\n".join(lines)


def accuracy(runs: dict[str, dict[str, Any]]) -> str:
    """AP of what was trained with equal data and budget."""
    first = next(iter(runs.values()))
    start, hardware, crop = first["start"], first["start"]["hardware"], first["train_config"]["crop"]
    origin = f"backbone and RPN of `{first['init']['file']}`" if first["init"] else "random weights"
    facts = [
        f"{first['steps']} steps, {first['images']} crops of {crop[0]}x{crop[1]} pixels, from {origin}",
        f"CamVid val, {first['ap']['images']} images",
        f"{hardware.get('gpu', hardware['cpu'])}, PyTorch {start['versions']['torch']}, {start['time'][:10]}.",
    ]
    lines = ["; ".join(facts), ""]
    lines += header(["head", "training, processor time", "a frame", "mask AP", "AP50", "AP75", "box AP", "AP50", "AP75"])
    for name, run in runs.items():
        ap = [f"{run['ap'][kind][key]:.3f}" for kind in ("segm", "bbox") for key in ("AP", "AP50", "AP75")]
        lines.append(row([NAMES[name], f"{run['processor_seconds']:.0f} s", duration(run["ap"]["frame_processor_ms"]), *ap]))
    return "\n".join(lines)


def header(titles: Sequence[str]) -> list[str]:
    return [row(titles), "|---" * len(titles) + "|"]


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def millions(count: int) -> str:
    return f"{count / 1e6:.3g} M" if count else "0"


def duration(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.3g} s" if milliseconds >= 1000 else f"{number(milliseconds)} ms"


def number(value: float) -> str:
    """At least three digits, no exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
