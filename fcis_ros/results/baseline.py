# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Comparison of an evaluation with an earlier one, the baseline, from their folders."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from fcis_ros.errors import InputError
from fcis_ros.metrics.comparison import WORSE, compare
from fcis_ros.results.frame_record import to_table
from fcis_ros.results.run_reader import FRAMES, RunReader


def compare_with(folder: Path, baseline: Path, tolerance: float) -> dict[str, Any]:
    """Compares the measures of an evaluation with those of the baseline.

    Args:
        folder: folder of the evaluation.
        baseline: folder of the earlier evaluation, or the report.json in it.
        tolerance: differences up to this value are ignored.

    Returns:
        ``baseline``, ``tolerance``, ``paired`` (whether both have the same frames), ``regressed`` and ``changes``, the fields
        of each ``metrics.comparison.Change``.

    Raises:
        InputError: the baseline is not an evaluation or has other classes, or either has no annotated frame.
    """
    earlier = baseline if baseline.is_dir() else baseline.parent
    if not baseline.exists():
        raise InputError(f"{baseline}: no such baseline")
    if not (earlier / FRAMES).is_file():
        raise InputError(f"{baseline}: no {FRAMES} next to it; a baseline is the report in the folder of its evaluation")
    names = RunReader(folder).spec["class_names"]
    if RunReader(earlier).spec["class_names"] != names:
        raise InputError(f"{baseline}: a model with other classes")
    before, now = (_annotated(path) for path in (earlier, folder))
    paired = _keys(before) == _keys(now)
    changes = compare(to_table(before), to_table(now), names, paired, tolerance)
    return {
        "baseline": str(baseline),
        "tolerance": tolerance,
        "paired": paired,
        "regressed": any(change.verdict == WORSE for change in changes),
        "changes": [asdict(change) for change in changes],
    }


def _annotated(folder: Path) -> list[dict[str, Any]]:
    records = [record for record in RunReader(folder).frames() if record["truth"] is not None]
    if not records:
        raise InputError(f"{folder}: no annotated frame: nothing to compare")
    return records


def _keys(records: list[dict[str, Any]]) -> list[tuple[int, ...]]:
    return sorted((record["image_id"], record["bag"], record["index"], record["stamp"]) for record in records)
