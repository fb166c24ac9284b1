# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``evaluate-bag --engine``: all parts of an evaluation by the workers of a cluster, and then the whole."""

import argparse
import functools
import time
from pathlib import Path

from fcis_ros.cli.needing import needing
from fcis_ros.cli.output import writable
from fcis_ros.cli.part import evaluate_part
from fcis_ros.cli.whole import write_whole
from fcis_ros.errors import InputError
from fcis_ros.evaluation.offline import Shard
from fcis_ros.results.merge import find_parts, part_path
from fcis_ros.results.store import COMPLETE, AlreadyComplete, Busy

PARTS_EACH = 4  # for each that the cluster does at once, so that the last ones do not leave it idle for long
PATIENCE = 60.0  # seconds; a worker that was killed may hold its folder a moment longer than Ray takes to notice
LISTED = 20  # parts that were not done


def run_fleet(arguments: argparse.Namespace) -> int:
    """Runs the command."""
    from tqdm import tqdm

    with needing("pip install 'ray[client]'"):
        from fcis_ros.evaluation.ray_executor import connected, gpus, map_parts, slots
    folder = Path(arguments.out)
    if arguments.shard:
        raise InputError("--engine does all parts; --shard does one")
    if arguments.device.startswith("cuda:"):
        raise InputError(f"--device {arguments.device}: Ray says which GPU a worker has; --device cuda")
    there = parts_there(folder)
    if there and arguments.parts not in (None, there):
        raise InputError(f"{folder}: holds parts of {there}, not of {arguments.parts}; choose another folder")
    with connected(arguments.engine):
        gpu = arguments.device == "cuda" or (arguments.device == "auto" and gpus() > 0)
        cpus = arguments.threads or 1
        at_once = slots(cpus, gpu)
        count = arguments.parts or there or PARTS_EACH * at_once
        chosen = {"threads": cpus, "device": "cuda" if gpu else arguments.device.replace("auto", "cpu")}
        work = functools.partial(do_part, argparse.Namespace(**{**vars(arguments), **chosen}), count)
        with tqdm(total=count, unit="part") as bar:
            reasons = map_parts(work, count, cpus, gpu, lambda number: bar.update())
    if reasons:
        for line in listed(folder, count, reasons):
            print(line)
        raise InputError(f"{folder}: {len(reasons)} of {count} parts not done; the same command goes on")
    parts, what = find_parts([folder])
    return write_whole(parts, what, folder / "merged", arguments.baseline, arguments.tolerance)


def do_part(arguments: argparse.Namespace, count: int, number: int) -> None:
    """Does one part, on a worker, or goes on with it.

    Raises:
        InputError: it cannot be done, or another process is doing it.
    """
    folder = part_path(Path(arguments.out), number, count)
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            with writable(folder):
                evaluate_part(arguments, folder, Shard(number, count), lambda frames, total: None)
            return
        except AlreadyComplete:
            return
        except Busy:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.5)


def parts_there(folder: Path) -> int | None:
    """Into how many parts the evaluation in a folder is divided; None without one."""
    ends = {path.name.rpartition("-")[2] for path in folder.glob("part-*-of-*")}
    counts = {int(end) for end in ends if end.isdecimal()}
    if len(counts) > 1:
        raise InputError(f"{folder}: holds parts of {' and of '.join(map(str, sorted(counts)))}; choose another folder")
    return next(iter(counts), None)


def listed(folder: Path, count: int, reasons: dict[int, str]) -> list[str]:
    """Lines for people: parts that were not done, how far they got, and why; what a part's own run.json says counts."""
    lines = []
    for number, reason in sorted(reasons.items())[:LISTED]:
        state = None
        if (part_path(folder, number, count) / "run.json").is_file():
            state = find_parts([part_path(folder, number, count)])[0][number - 1]
        if state and state.state != COMPLETE:
            lines.append(state.line + ("" if state.problem else f" ({reason})"))
        else:
            lines.append(f"part {number}: {reason}")
    more = len(reasons) - LISTED
    return [*lines, *([f"and {more} more"] if more > 0 else [])]
