# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Curves of a run's log."""

from pathlib import Path

import matplotlib

from fcis_ros.training.run_log import read_log

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # the backend must be chosen first


def plot_log(log_file: Path, picture: Path) -> None:
    """Draws losses and evaluations of a ``log.jsonl`` over the steps."""
    rows = read_log(log_file)
    losses = [row for row in rows if "evaluation" not in row]
    evaluations = [row for row in rows if "evaluation" in row]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name in [key for key in (losses[0] if losses else {}) if key not in ("step", "lr", "s")]:
        left.plot([row["step"] for row in losses], [row[name] for row in losses], label=name)
    left.set(xlabel="step", ylabel="loss (moving average)", yscale="log", title="losses")
    left.legend()
    for name in evaluations[0]["evaluation"] if evaluations else []:
        right.plot([row["step"] for row in evaluations], [row["evaluation"].get(name) for row in evaluations], "o-", label=name)
    right.set(xlabel="step", ylabel="average precision", ylim=(0, 1), title="evaluation")
    if evaluations:
        right.legend()
    figure.savefig(picture, dpi=110)
    plt.close(figure)
