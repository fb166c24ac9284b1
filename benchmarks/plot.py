# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""How the per-ROI stage grows, as a picture: ``out/bench/growth.png``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from benchmarks.measure import Row

PANELS = {"ROIs": "ROIs", "classes": "classes", "image": "pixels of the image"}


def amount(case: str) -> int:
    """``ROIs 600`` -> 600, ``image 600x1000`` -> 600 000."""
    product = 1
    for number in case.split()[1].split("x"):
        product *= int(number)
    return product


def draw(rows: list[Row], path: Path) -> None:
    """Three panels: time over the number of ROIs, of classes and of pixels; the dashed line is proportional growth."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(9, 2.8), sharey=True, layout="constrained")
    for axis, (kind, label) in zip(axes, PANELS.items(), strict=True):
        points = [row for row in rows if row.case.split()[0] == kind]
        x, y = [amount(row.case) for row in points], [row.median_ms for row in points]
        axis.loglog(x, y, "o-")
        axis.loglog(x, [y[0] * value / x[0] for value in x], "--", color="0.7", linewidth=1)
        axis.set_xlabel(label)
        axis.set_xticks(x, [f"{value:,}".replace(",", " ") for value in x], fontsize=7)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("ms")
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if min(r.median_ms for r in rows) / 2 < t]
    axes[0].set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes[0].set_ylim(top=2 * max(row.median_ms for row in rows))
    figure.suptitle(f"class logits, best-class masks and boxes, {rows[0].device}, {rows[0].dtype}", fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)
