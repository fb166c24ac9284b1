# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Merge the parts of an evaluation into exactly what a single run over everything would have written.

PARTS are the folders that `fcis evaluate-bag --shard` made, in any order, or the folder that contains them. Parts of different
recordings, models or settings are refused, and so are duplicates. If parts are missing or failed, each is listed with its
reason, and nothing is written unless --partial is given.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fcis_ros.cli.arguments import refuse
from fcis_ros.cli.report import add_baseline, check_baseline, report
from fcis_ros.errors import InputError

if TYPE_CHECKING:
    from fcis_ros.results.merge import Part


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("parts", nargs="+", metavar="PARTS", help="folders of parts, or the folder that contains them")
    parser.add_argument("--out", metavar="DIR", help="folder for the result (default: merged, in the folder of the parts)")
    parser.add_argument("--partial", action="store_true", help="merge even if parts are missing or failed")
    parser.add_argument("--status", action="store_true", help="only print the progress; exit status 1 if not complete")
    add_baseline(parser)


def run(arguments: argparse.Namespace) -> int:
    from fcis_ros.results.merge import find_parts, progress
    from fcis_ros.results.run_reader import COMPLETE

    if arguments.status:
        refuse(arguments, "has no effect with --status", "out", "partial", "baseline", "tolerance")
    check_baseline(arguments)
    paths = [Path(part) for part in arguments.parts]
    parts, spec = find_parts(paths)
    complete = all(part.state == COMPLETE for part in parts)
    lines = list(progress(parts))
    if arguments.status:
        print("\n".join(lines))
        return int(not complete)
    if not complete and not arguments.partial:
        raise InputError("; ".join(lines)[:4000] + " (--partial merges the others)")
    if not arguments.out and len(paths) > 1:
        raise InputError("several parts: --out is needed")
    out = Path(arguments.out) if arguments.out else paths[0] / "merged"
    return write_merged(parts, spec, out, arguments.baseline, arguments.tolerance)


def write_merged(
    parts: Sequence["Part"], spec: dict[str, Any], out: Path, baseline: str | None, tolerance: float | None
) -> int:
    """Merges the parts of ``merge.find_parts`` into a folder, which may hold an earlier result, and reports.

    Returns:
        The exit status: 1 if the result is worse than the baseline.
    """
    from fcis_ros.cli.output import finished_folder, writable
    from fcis_ros.results.merge import merge, progress

    with finished_folder(out, proof="merge.json") as folder:
        merge(parts, spec, folder)
        merged = [part.number for part in parts if part.path]
        (folder / "merge.json").write_text(json.dumps({"parts": len(parts), "merged": merged}) + "\n")
    print("\n".join(progress(parts)))
    with writable(out):
        return report(out, None, baseline, tolerance)
