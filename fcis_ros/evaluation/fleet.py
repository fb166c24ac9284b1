# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""All shards of an evaluation on the workers of a Ray cluster."""

import functools
import time
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from fcis_ros.errors import InputError
from fcis_ros.evaluation.offline import evaluate_recordings
from fcis_ros.evaluation.ray_executor import connected, gpus, map_parts, slots
from fcis_ros.evaluation.spec import EvaluationSpec, Shard
from fcis_ros.files import writable
from fcis_ros.results.merge import find_shards, shard_path
from fcis_ros.results.run_reader import COMPLETE
from fcis_ros.results.run_writer import AlreadyComplete, Busy

PARTS_PER_SLOT = 4  # so that the last shards do not leave much of the cluster idle
BUSY_SECONDS = 60.0  # for which a killed worker may hold its folder before Ray notices
LISTED = 20  # shards that were not done


def evaluate_shards(spec: EvaluationSpec, folder: Path, engine: str, count: int | None) -> None:
    """Evaluates all shards, or resumes that.

    Args:
        spec: specification of the evaluation.
        folder: folder of the shards.
        engine: address of the cluster, see ``ray_executor.connected``.
        count: number of shards; None for that of the folder, or by the size of the cluster.

    Raises:
        InputError: there is no cluster, or shards could not be evaluated; their reasons are printed.
    """
    if spec.device.startswith("cuda:"):
        raise InputError(f"--device {spec.device}: Ray says which GPU a worker has; --device cuda")
    earlier = count_shards(folder)
    if earlier and count not in (None, earlier):
        raise InputError(f"{folder}: holds shards of {earlier}, not of {count}; choose another folder")
    with connected(engine):
        gpu = spec.device == "cuda" or (spec.device == "auto" and gpus() > 0)
        cpus = spec.threads or 1
        slot_count = slots(cpus, gpu)
        count = count or earlier or PARTS_PER_SLOT * slot_count
        spec = replace(spec, threads=cpus, device="cuda" if gpu else spec.device.replace("auto", "cpu"))
        with tqdm(total=count, unit="shard") as bar:
            reasons = map_parts(
                functools.partial(evaluate_shard, spec, folder, count), count, cpus, gpu, lambda number: bar.update()
            )
    if reasons:
        for line in problem_lines(folder, count, reasons):
            print(line)
        raise InputError(f"{folder}: {len(reasons)} of {count} shards not done; run the same command again to resume")


def evaluate_shard(spec: EvaluationSpec, folder: Path, count: int, number: int) -> None:
    """Evaluates shard ``number`` of ``count`` on a worker, or resumes that.

    Raises:
        InputError: the shard cannot be evaluated, or another process is evaluating it.
    """
    path = shard_path(folder, number, count)
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with writable(path):
                evaluate_recordings(replace(spec, shard=Shard(number, count)), path, show_progress=False)
            return
        except AlreadyComplete:
            return
        except Busy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def count_shards(folder: Path) -> int | None:
    """Returns the number of shards into which the evaluation in a folder is divided; None without an evaluation."""
    ends = {path.name.rpartition("-")[2] for path in folder.glob("part-*-of-*")}
    counts = {int(end) for end in ends if end.isdecimal()}
    if len(counts) > 1:
        raise InputError(f"{folder}: holds shards of {' and of '.join(map(str, sorted(counts)))}; choose another folder")
    return next(iter(counts), None)


def problem_lines(folder: Path, count: int, reasons: dict[int, str]) -> list[str]:
    """Returns a line for each shard that is not done: its progress and the reason, preferably that of its run.json.

    Args:
        folder: folder of the shards.
        count: number of shards.
        reasons: reason of each shard that is not done, by number from 1.
    """
    lines = []
    for number, reason in sorted(reasons.items())[:LISTED]:
        state = None
        if (shard_path(folder, number, count) / "run.json").is_file():
            state = find_shards([shard_path(folder, number, count)])[0][number - 1]
        if state and state.state != COMPLETE:
            lines.append(state.line + ("" if state.problem else f" ({reason})"))
        else:
            lines.append(f"shard {number}: {reason}")
    more = len(reasons) - LISTED
    return [*lines, *([f"and {more} more"] if more > 0 else [])]
