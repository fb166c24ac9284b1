# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``log.jsonl`` of a run, and its curves: a row of losses every few steps and one for every evaluation, by the steps done."""

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from tqdm import tqdm

from fcis_ros.files import atomic_path
from fcis_ros.findings import Finding, counted, listing


class RunLog:
    """Appends rows to a log.

    Args:
        path: file of the log.
        step: number of steps of the state from which the run continues. Rows of later steps, which were lost and will be
            repeated, are removed, and so are lines that are no rows: damaged ones are named on the standard error.
        writes: whether this process writes; False: it only reads which evaluations exist.

    Attributes:
        path: file of the log.
        evaluated: steps whose evaluation is in the log.
    """

    def __init__(self, path: Path, step: int, writes: bool = True):
        rows, damage = read_log(path) if path.exists() else ([], ())
        rows = [row for row in rows if row["step"] <= step]
        self.evaluated = {row["step"] for row in rows if "evaluation" in row}
        self.path = path
        self._file = None
        if writes:
            for finding in damage:
                tqdm.write(f"fcis: {finding}", file=sys.stderr)
            with atomic_path(path) as partial:
                partial.write_text("".join(json.dumps(row) + "\n" for row in rows))
            self._file = open(path, "a")

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def write(self, **row: Any) -> None:
        """Appends a row; it is in the file when this returns."""
        if self._file:
            print(json.dumps(row), file=self._file, flush=True)


def read_log(path: Path) -> tuple[list[dict[str, Any]], tuple[Finding, ...]]:
    """Reads a log.

    Returns:
        The rows, and a finding about lines that are none. A last line without its line break was cut short when the run was
        killed, which is no damage.
    """
    rows, damaged = [], []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
        elif number < len(lines):
            damaged.append(str(number))
    text = f"{counted(len(damaged), 'damaged line')}, left out: {listing(damaged)}"
    return rows, (Finding(path.name, text),) if damaged else ()


def plot_log(log_file: Path, picture: Path) -> None:
    """Draws losses and evaluations of a ``log.jsonl`` over the steps."""
    rows, _ = read_log(log_file)
    losses = [row for row in rows if "evaluation" not in row]
    evaluations = [row for row in rows if "evaluation" in row]
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
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
