# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""All shards of an evaluation on the workers of a Ray cluster."""

import contextlib
import functools
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import ray
from tqdm import tqdm

from fcis_ros.errors import InputError
from fcis_ros.evaluation.offline import evaluate_recordings
from fcis_ros.evaluation.spec import EvaluationSpec, Shard
from fcis_ros.files import writable
from fcis_ros.omp import limit_spinning
from fcis_ros.results.merge import find_shards, shard_path
from fcis_ros.results.run_reader import COMPLETE
from fcis_ros.results.run_writer import AlreadyComplete, Busy

PARTS_PER_SLOT = 4  # so that the last shards do not leave much of the cluster idle
BUSY_SECONDS = 60.0  # for which a killed worker may hold its folder before Ray notices
RETRIES = 3  # for a shard whose worker died
MAX_REASON = 300  # characters


def evaluate_shards(spec: EvaluationSpec, folder: Path, engine: str, count: int | None) -> tuple[int, list[str]]:
    """Evaluates all shards, or resumes that.

    Args:
        spec: specification of the evaluation.
        folder: folder of the shards.
        engine: address of the cluster, see ``connected``.
        count: number of shards; None for that of the folder, or by the size of the cluster.

    Returns:
        Number of shards, and a line for each that is not done.

    Raises:
        InputError: there is no cluster, or the folder has another number of shards.
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
        ended = map_shards(functools.partial(evaluate_shard, spec, folder, count), count, cpus, gpu)
        reasons = {number: problem for number, problem in tqdm(ended, total=count, unit="shard") if problem is not None}
    return count, problem_lines(folder, count, reasons)


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
    for number, reason in sorted(reasons.items()):
        state = None
        if (shard_path(folder, number, count) / "run.json").is_file():
            state = find_shards([shard_path(folder, number, count)])[0][number - 1]
        if state and state.state != COMPLETE:
            lines.append(state.line + ("" if state.problem else f" ({reason})"))
        else:
            lines.append(f"shard {number}: {reason}")
    return lines


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """Connects to a Ray cluster, or starts one with the cores and GPUs of this machine until the end of the block.

    Args:
        address: ``ray`` for the cluster of RAY_ADDRESS or of ``ray start`` on this machine, or a new one without these;
            ``ray://HOST:PORT`` for the cluster of this client server.

    Raises:
        InputError: there is no cluster at the address, or it cannot be used.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends usage statistics by default
    handler = signal.getsignal(signal.SIGTERM)  # Ray replaces it
    try:
        ray.init(
            None if address == "ray" else address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
    except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
        named = os.environ.get("RAY_ADDRESS", "the last cluster started on this machine (`ray stop` removes it)")
        where = named if address == "ray" else address
        raise InputError(f"{where}: no usable Ray cluster ({_line(str(error))})") from None
    finally:
        signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        ray.shutdown()


def gpus() -> int:
    """Returns the number of GPUs of the cluster."""
    return int(ray.cluster_resources().get("GPU", 0))


def slots(cpus: int, gpu: bool) -> int:
    """Returns the number of shards that the cluster can do at once.

    Args:
        cpus: number of CPUs of a shard.
        gpu: whether a shard also uses a GPU.

    Raises:
        InputError: the cluster cannot do a single shard.
    """
    room = int(ray.cluster_resources().get("CPU", 0)) // cpus
    room = min(room, gpus()) if gpu else room
    if not room:
        raise InputError(f"a shard takes {cpus} CPUs{' and a GPU' * gpu}, which the Ray cluster does not have")
    return room


def map_shards(work: Callable[[int], None], count: int, cpus: int, gpu: bool) -> Iterator[tuple[int, str | None]]:
    """Does all shards and yields each, as it ends, with its problem or None.

    A shard whose worker dies is repeated by another worker, up to ``RETRIES`` times, so ``work`` must resume or start over.
    Workers run it in the folder of this process, which all machines must share.

    Args:
        work: function that does the shard of a number, from 1; pickled by its name, so every machine needs its module.
        count: number of shards.
        cpus: number of CPUs of a shard.
        gpu: whether a shard also uses a GPU.
    """
    task = ray.remote(num_cpus=cpus, num_gpus=int(gpu), max_retries=RETRIES)(_on_worker)
    waiting = {task.remote(work, number, os.getcwd()): number for number in range(1, count + 1)}
    while waiting:
        ended, _ = ray.wait(list(waiting))
        for reference in ended:
            number = waiting.pop(reference)
            try:
                yield number, ray.get(reference)
            except ray.exceptions.RayTaskError as error:  # a defect; its traceback ends with the error
                yield number, _line(str(error).strip().splitlines()[-1])
            except ray.exceptions.RayError as error:
                yield number, _line(str(error))


def _on_worker(work: Callable[[int], None], number: int, folder: str) -> str | None:
    """Does a shard; returns the problem, or None."""
    limit_spinning()
    try:
        os.chdir(folder)
    except OSError as error:
        return f"{folder}: cannot be used on a worker ({error.strerror}); all machines must share this folder"
    try:
        work(number)
    except InputError as error:
        return str(error)
    return None


def _line(text: str) -> str:
    return " ".join(text.split())[:MAX_REASON]
