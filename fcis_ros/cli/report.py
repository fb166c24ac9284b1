# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Write the report of an evaluation again: another threshold, a comparison with an earlier one; nothing is computed anew.

DIR is the folder of `fcis evaluate-bag` or `evaluate-merge`, also of one that was interrupted or killed. The exit status is 1
if a measure is worse than in the baseline by more than the tolerance, and not by chance: if the 95 % interval of the
difference, by a bootstrap over the frames, excludes none.
"""

import argparse
from pathlib import Path

from fcis_ros.cli.arguments import unit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="folder of an evaluation")
    parser.add_argument("--score", type=unit, help="count instances as found from this score (default: as evaluated)")
    add_baseline(parser)


def add_baseline(parser: argparse.ArgumentParser) -> None:
    """``--baseline`` and ``--tolerance``."""
    parser.add_argument("--baseline", metavar="JSON", help="report.json of an earlier evaluation, in its folder")
    parser.add_argument(
        "--tolerance", type=unit, default=0.01, help="differences of AP up to this are none (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    from fcis_ros.cli.output import writable

    with writable(Path(arguments.folder)):
        return report(Path(arguments.folder), arguments.score, arguments.baseline, arguments.tolerance)


def report(folder: Path, score: float | None, baseline: str | None, tolerance: float) -> int:
    """Writes and prints the report; returns the exit status."""
    from fcis_ros.bags.baseline import compare_with
    from fcis_ros.bags.report import table, write_report

    comparison = compare_with(folder, Path(baseline), tolerance) if baseline else None
    written = write_report(folder, score, comparison)
    print(table(written))
    print(f"-> {folder / 'report.html'} (beside it report.json, detections.json, annotations.json, frames.jsonl)")
    return int(bool(comparison) and comparison["regressed"])
