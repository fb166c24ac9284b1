# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Time and memory against the number of ROIs at both scales, and accuracy, as one picture."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib import ticker

from experiments.prior_work.heads import NAMES

COLOURS = {"fcis": "tab:blue", "mnc": "tab:orange", "instance_fcn": "tab:green"}
MARKS = {"fcis": "o-", "mnc": "s--", "instance_fcn": "o-"}  # where MNC lies on InstanceFCN, both are seen
QUANTITIES = {"milliseconds": "ms after the backbone", "megabytes": "MB beyond weights, conv5"}


def draw(speed: dict[str, Any], runs: dict[str, dict[str, Any]], path: Path) -> None:
    """A column for each scale, time above memory; accuracy, where there are runs, in a last column."""
    scales = speed["scales"]
    columns = len(scales) + bool(runs)
    figure, axes = plt.subplots(2, columns, figsize=(3.6 * columns, 5.6), squeeze=False, layout="constrained")
    for column, (scale, about) in enumerate(scales.items()):
        costs = [cost for cost in speed["costs"] if cost["scale"] == scale]
        for axis, (quantity, label) in zip(axes[:, column], QUANTITIES.items(), strict=True):
            growth(axis, costs, quantity)
            axis.set_ylabel(label)
        axes[0, column].set_title(f"{about['title']}, {about['classes']} classes", fontsize=10)
    if runs:
        for axis, (kind, label) in zip(axes[:, -1], (("segm", "mask AP"), ("bbox", "box AP")), strict=True):
            bars(axis, runs, kind, label)
        axes[0, -1].set_title(f"CamVid val after {next(iter(runs.values()))['steps']} steps", fontsize=10)
    axes[0, 0].legend(fontsize=8)
    figure.suptitle(f"{speed['device']}, {speed['date']}; dotted: the backbone, once", fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def growth(axis, costs: list[dict[str, Any]], quantity: str) -> None:
    """What an image takes in all: once per image, and per ROI; memory is the larger of the two."""
    for name in NAMES:
        cells = {cost["rois"]: cost[quantity] for cost in costs if cost["head"] == name}
        once, counts = cells.pop(0), sorted(cells)
        values = [once + cells[n] if quantity == "milliseconds" else max(once, cells[n]) for n in counts]
        axis.loglog(
            counts, values, MARKS[name], color=COLOURS[name], label=NAMES[name], markersize=4, zorder=2 + (name == "mnc")
        )
    if quantity == "milliseconds":
        (backbone,) = (cost[quantity] for cost in costs if cost["head"] == "backbone")
        axis.axhline(backbone, color="0.4", linestyle=":", linewidth=1)
    axis.set_xticks(counts, [str(n) for n in counts], fontsize=8)
    axis.minorticks_off()
    axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.0f}".replace(",", " ")))
    axis.tick_params(axis="y", labelsize=8)
    axis.set_xlabel("ROIs")
    axis.grid(alpha=0.3)


def bars(axis, runs: dict[str, dict[str, Any]], kind: str, label: str) -> None:
    """Bars of AP and AP50."""
    for shift, key, alpha in ((-0.2, "AP", 1.0), (0.2, "AP50", 0.5)):
        for position, (name, run) in enumerate(runs.items()):
            value = run["ap"][kind][key]
            axis.bar(position + shift, value, 0.38, color=COLOURS[name], alpha=alpha)
            axis.text(position + shift, value, f"{key}\n{value:.2f}", ha="center", va="bottom", fontsize=7)
    axis.set_xticks(range(len(runs)), [NAMES[name] for name in runs], fontsize=8)
    axis.set_ylim(0, 1)
    axis.set_ylabel(label)
