# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Write the report of an evaluation again, with another score threshold or a baseline; the network does not run.

DIR is the folder of `fcis evaluate-bag`, `evaluate-merge` or `demo`, also of an evaluation that was interrupted or killed. The
exit status is 1 if a measure is worse than in the baseline by more than the tolerance, and the 95 % interval of the difference
(a bootstrap over the frames) excludes zero. It is 2 if something that was to be evaluated could not be used, or is missing.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fcis_ros.cli.arguments import TOLERANCE, add_baseline, check_baseline, unit
from fcis_ros.findings import exit_status, from_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="folder of an evaluation")
    text = "score threshold of the report and of --results (default: as evaluated)"
    parser.add_argument("--score", type=unit, help=text)
    parser.add_argument("--results", action="store_true", help="also write the detections as a recording, DIR/results")
    parser.add_argument("--parquet", metavar="FILE", help="also write the detections as a table, a row for each instance")
    add_baseline(parser)


def run(arguments: argparse.Namespace) -> int:
    from fcis_ros.files import writable

    check_baseline(arguments)
    with writable(Path(arguments.folder)):
        written = report(Path(arguments.folder), arguments.score, arguments.baseline, arguments.tolerance)
        if arguments.results:
            record_results(Path(arguments.folder), arguments.score)
    if arguments.parquet:
        write_table(Path(arguments.folder), Path(arguments.parquet))
    return conclude(written)


def report(folder: Path, score: float | None, baseline: str | None, tolerance: float | None) -> dict[str, Any]:
    """Writes and prints the report of a folder; returns the content of report.json."""
    from fcis_ros.results.baseline import compare_with
    from fcis_ros.results.run_report import write_report

    comparison = compare_with(folder, Path(baseline), TOLERANCE if tolerance is None else tolerance) if baseline else None
    written = write_report(folder, score, comparison)
    print_report(written, folder)
    return written


def print_report(written: Mapping[str, Any], folder: Path) -> None:
    """Prints the content of report.json as a table, and the path of the page."""
    from fcis_ros.results.run_report import table

    print(table(written))
    print(f"-> {folder / 'report.html'} (in the folder also report.json, detections.json, annotations.json, frames.jsonl)")


def conclude(written: Mapping[str, Any]) -> int:
    """Prints the findings of a report.json.

    Returns:
        The exit status that follows from the findings and from the comparison with a baseline.
    """
    from fcis_ros.cli.output import print_findings

    findings, comparison = from_json(written["findings"]), written.get("comparison")
    print_findings(findings)
    return exit_status(findings, comparison is not None and comparison["regressed"])


def write_table(folder: Path, path: Path) -> None:
    """Writes the Parquet table of the detections."""
    from fcis_ros.cli.needing import needing
    from fcis_ros.files import writable

    with needing("pip install pyarrow"):
        from fcis_ros.results.parquet_table import write_parquet
    with writable(path):
        rows = write_parquet(folder, path)
    print(f"-> {path} ({rows} rows)")


def record_results(folder: Path, score: float | None) -> None:
    """Writes the recording of the detections; reads the evaluated recordings again, whose paths or URLs must be valid."""
    from tqdm import tqdm

    from fcis_ros.bags.reader import open_recording
    from fcis_ros.cli.output import finished_bag
    from fcis_ros.results.result_bag import MASKS_TOPIC, write_result_bag
    from fcis_ros.results.run_reader import RunReader

    recordings = [open_recording(path, topic) for path, topic in RunReader(folder).recordings()]
    total = sum(recording.count for recording in recordings)
    with finished_bag(folder / "results", MASKS_TOPIC) as bag, tqdm(desc="results", total=total, unit="frame") as bar:
        write_result_bag(folder, recordings, bag, score, bar.update)
    print(f"-> {folder / 'results'} (masks, overlay and outlines, rosbag2)")
