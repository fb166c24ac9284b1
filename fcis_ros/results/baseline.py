# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""An evaluation compared with an earlier one, from the folders of both."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from fcis_ros.errors import InputError
from fcis_ros.metrics.comparison import WORSE, compare
from fcis_ros.results.frame_record import table
from fcis_ros.results.store import FRAMES, read_frames, read_run


def compare_with(folder: Path, baseline: Path, tolerance: float) -> dict[str, Any]:
    """What moved against the baseline.

    Args:
        folder: of the evaluation.
        baseline: report.json of the earlier one, with its frames.jsonl beside it.
        tolerance: differences of a measure up to it are none.

    Returns:
        ``baseline``, ``tolerance``, ``paired`` (whether both are of the same frames), ``regressed`` and ``changes``, entries of
        ``evaluation.comparison.Change``.

    Raises:
        InputError: the baseline is no evaluation, of other classes, or one of both has no annotated frame.
    """
    other = baseline if baseline.is_dir() else baseline.parent
    if not baseline.exists():
        raise InputError(f"{baseline}: no such baseline")
    if not (other / FRAMES).is_file():
        raise InputError(f"{baseline}: no {FRAMES} beside it; a baseline is the report in the folder of its evaluation")
    names = read_run(folder)["what"]["class_names"]
    if read_run(other)["what"]["class_names"] != names:
        raise InputError(f"{baseline}: of a model with other classes")
    frames = [[frame for frame in read_frames(own) if frame["truth"] is not None] for own in (other, folder)]
    for own, there in zip((other, folder), frames, strict=True):
        if not there:
            raise InputError(f"{own}: no annotated frame: nothing to compare")
    before, now = (sorted((frame["image_id"], frame["bag"], frame["index"], frame["stamp"]) for frame in own) for own in frames)
    changes = compare(table(frames[0]), table(frames[1]), names, before == now, tolerance)
    return {
        "baseline": str(baseline),
        "tolerance": tolerance,
        "paired": before == now,
        "regressed": any(change.verdict == WORSE for change in changes),
        "changes": [asdict(change) for change in changes],
    }
