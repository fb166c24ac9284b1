# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Plot of the latency of every frame."""

import io
from collections.abc import Sequence

import numpy as np


def latency_plot(sent: Sequence[float], latencies: Sequence[float | None]) -> bytes:
    """Plots the latency of every frame over time, with dropped frames marked, and its distribution.

    Args:
        sent: seconds at which each frame was sent, since the first one.
        latencies: milliseconds from sending each frame to its answer; None for a dropped frame.

    Returns:
        A PNG.
    """
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
