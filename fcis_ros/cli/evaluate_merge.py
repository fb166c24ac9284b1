# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Merge the shards of an evaluation into exactly what a single run over everything would have written.

SHARDS are the folders that `fcis evaluate-bag --shard` made, in any order, or the folder that contains them. Shards of
different recordings, models or settings are refused, and so are duplicates. If shards are missing or failed, each is listed
with its reason, and nothing is written unless --partial is given.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fcis_ros.cli.arguments import add_baseline, check_baseline, refuse
from fcis_ros.cli.report import conclude, report
from fcis_ros.errors import InputError

if TYPE_CHECKING:
    from fcis_ros.results.merge import ShardState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("parts", nargs="+", metavar="SHARDS", help="folders of shards, or the folder that contains them")
    parser.add_argument("--out", metavar="DIR", help="folder for the result (default: merged, in the folder of the shards)")
    parser.add_argument("--partial", action="store_true", help="merge even if shards are missing or failed")
    parser.add_argument("--status", action="store_true", help="only print the progress; exit status 1 if not complete")
    add_baseline(parser)


def run(arguments: argparse.Namespace) -> int:
    from fcis_ros.results.merge import find_shards, progress
    from fcis_ros.results.run_reader import COMPLETE

    if arguments.status:
        refuse(arguments, "has no effect with --status", "out", "partial", "baseline", "tolerance")
    check_baseline(arguments)
    paths = [Path(shard) for shard in arguments.parts]
    shards, spec = find_shards(paths)
    complete = all(shard.state == COMPLETE for shard in shards)
    lines = list(progress(shards))
    if arguments.status:
        print("\n".join(lines))
        return int(not complete)
    if not complete and not arguments.partial:
        raise InputError("; ".join(lines)[:4000] + " (--partial merges the others)")
    if not arguments.out and len(paths) > 1:
        raise InputError("several shards: --out is needed")
    out = Path(arguments.out) if arguments.out else paths[0] / "merged"
    return write_merged(shards, spec, out, arguments.baseline, arguments.tolerance)


def write_merged(
    shards: Sequence["ShardState"], spec: dict[str, Any], out: Path, baseline: str | None, tolerance: float | None
) -> int:
    """Merges the shards of ``merge.find_shards`` into a folder, which may hold an earlier result, and reports.

    Returns:
        The exit status, 1 if the result is worse than the baseline, 2 if shards are missing or could not use something.
    """
    from fcis_ros.cli.output import finished_folder
    from fcis_ros.files import writable
    from fcis_ros.results.merge import merge, progress

    with finished_folder(out, proof="merge.json") as folder:
        merge(shards, spec, folder)
        merged = [shard.number for shard in shards if shard.path]
        (folder / "merge.json").write_text(json.dumps({"parts": len(shards), "merged": merged}) + "\n")
    print("\n".join(progress(shards)))
    with writable(out):
        written = report(out, None, baseline, tolerance)
    return conclude(written)
