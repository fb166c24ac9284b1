# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Put the parts of an evaluation together: exactly what one run over everything would have written.

PARTS are the folders that `fcis evaluate-bag --shard` made, in any order, or the one that holds them. Parts of different
recordings, models or settings are refused, and so is a part that is there twice. If parts are missing or failed, each is listed
with its reason, and nothing is written but with --partial.
"""

import argparse
from pathlib import Path

from fcis_ros.cli.arguments import refuse
from fcis_ros.cli.report import add_baseline, check_baseline
from fcis_ros.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("parts", nargs="+", metavar="PARTS", help="folders of parts, or the one that holds them")
    parser.add_argument("--out", metavar="DIR", help="folder for the whole (default: merged, in the one that holds the parts)")
    parser.add_argument("--partial", action="store_true", help="also if parts are missing or failed")
    parser.add_argument("--status", action="store_true", help="only say how far all are; status 1 if not complete")
    add_baseline(parser)


def run(arguments: argparse.Namespace) -> int:
    from fcis_ros.cli.whole import write_whole
    from fcis_ros.results.merge import find_parts, progress
    from fcis_ros.results.store import COMPLETE

    if arguments.status:
        refuse(arguments, "has no effect with --status", "out", "partial", "baseline", "tolerance")
    check_baseline(arguments)
    paths = [Path(part) for part in arguments.parts]
    parts, what = find_parts(paths)
    whole = all(part.state == COMPLETE for part in parts)
    lines = list(progress(parts))
    if arguments.status:
        print("\n".join(lines))
        return int(not whole)
    if not whole and not arguments.partial:
        raise InputError("; ".join(lines)[:4000] + " (--partial merges what is there)")
    if not arguments.out and len(paths) > 1:
        raise InputError("several parts: --out says where to")
    out = Path(arguments.out) if arguments.out else paths[0] / "merged"
    return write_whole(parts, what, out, arguments.baseline, arguments.tolerance)
